// The kernel's ABI: everything the host may call, and nothing else.
export * from "./layout";
export { buildRaw, stampEvents } from "./columns";
export { clearCounts, countEvents, countsUsed, emitCounts, initCounts } from "./exact-counts";
export {
  dropUntyped, forgetTypes, hashRows, initTypes, limitTypes, noteTypes, resetTypeNotes,
  resolveTypes, typeIndex,
} from "./type-dictionary";
export { scan } from "./ndjson";
export { murmur2, partitionEvents, sizeBlocks, writeBlocks } from "./partition";
