/** The options of a log in Kafka: what is wrong with them. */
import { quoted } from "./errors.ts";

interface KafkaOptions {
  log: string;
  kafkaBrokers: string;
  kafkaTopic: string;
  kafkaDeadLetterTopic: string;
  kafkaSasl: string;
  kafkaSaslUsername: string;
  kafkaSaslPassword: string;
  kafkaTlsCert: string;
  kafkaTlsKey: string;
}

const brokerPattern = /^(\[[0-9a-f:]+\]|[^\s:,/@]+):\d{1,5}$/i;
const topicPattern = /^[a-zA-Z0-9._-]{1,237}$/;

/** What is wrong with the options: expected and got; undefined where nothing is. */
export function kafkaProblem(options: KafkaOptions): string | undefined {
  const { kafkaBrokers, kafkaTopic, kafkaDeadLetterTopic, kafkaSasl } = options;
  if (options.log !== "kafka") return undefined;
  const brokers = kafkaBrokers.split(",").map((name) => name.trim());
  if (!brokers.every((name) => brokerPattern.test(name))) {
    const got = kafkaBrokers === "none" ? "none" : quoted(kafkaBrokers);
    return `kafkaBrokers: expected host:port, several by comma, got ${got}`;
  }
  for (const topic of [kafkaTopic, kafkaDeadLetterTopic]) {
    if (topicPattern.test(topic)) continue;
    const expected = "expected 1 to 237 letters, digits, dots, dashes and underscores";
    return `kafkaTopic: ${expected}, got ${quoted(topic)}`;
  }
  if (kafkaTopic === kafkaDeadLetterTopic) {
    return "kafkaDeadLetterTopic: expected another topic than kafkaTopic";
  }
  const isNamed = options.kafkaSaslUsername !== "none" && options.kafkaSaslPassword !== "none";
  if (kafkaSasl !== "none" && !isNamed) {
    return `kafkaSasl ${kafkaSasl}: expected kafkaSaslUsername and -Password`;
  }
  if ((options.kafkaTlsCert === "none") !== (options.kafkaTlsKey === "none")) {
    return "kafkaTlsCert and kafkaTlsKey: expected both or none";
  }
  return undefined;
}
