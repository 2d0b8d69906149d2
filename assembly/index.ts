// The kernel's ABI: everything the host may call, and nothing else.
export * from "./layout";
