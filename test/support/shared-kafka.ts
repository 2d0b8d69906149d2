// The Kafka that a whole run of tests shares. Test files run in processes of their own and ask the
// run's main process for its address; only that one starts it and ends it.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { KafkaBroker } from "./kafka-broker.ts";

let broker: KafkaBroker | null = null;
let address: Promise<string> | null = null;

/** Starts one unless KAFKA_BROKERS names one; a second call finds the first's. */
export function sharedKafkaAddress(): Promise<string> {
  address ??= startShared();
  return address;
}

async function startShared(): Promise<string> {
  const named = process.env["KAFKA_BROKERS"];
  if (named) return named;
  // Loaded only here: few runs need a Kafka client in their main process.
  const loaded = await import("./kafka-broker.ts");
  broker = new loaded.KafkaBroker();
  await broker.start();
  return broker.address;
}

/** Answers every request with the address. */
export async function serveSharedKafka(): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer((_request, response) => {
    sharedKafkaAddress().then(
      (text) => response.end(text),
      (error: Error) => response.writeHead(500).end(error.message),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    server.close();
    server.closeAllConnections();
    await broker?.remove();
    broker = null;
    address = null;
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}
