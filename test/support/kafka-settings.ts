// The settings file of a test's Kafka: one node that is broker and controller.

export const brokerHost = "127.0.0.1";
/** Who may log in over SASL, with SCRAM-SHA-256 as well as with PLAIN. */
export const saslUser = Object.freeze({ username: "tester", password: "tester-secret" });
export const keystorePassword = "keystore-secret";

export interface BrokerPorts {
  plain: number;
  controller: number;
  sasl?: number;
  tls?: number;
  saslTls?: number;
}

const security = "org.apache.kafka.common.security";

const small = {
  "node.id": 1,
  "process.roles": "broker,controller",
  "inter.broker.listener.name": "PLAIN",
  "controller.listener.names": "CONTROLLER",
  "auto.create.topics.enable": false,
  "delete.topic.enable": true,
  // One node holds every copy there is, and one partition of each is quicker to make.
  "offsets.topic.replication.factor": 1,
  "offsets.topic.num.partitions": 1,
  "transaction.state.log.replication.factor": 1,
  "transaction.state.log.min.isr": 1,
  "transaction.state.log.num.partitions": 1,
  "share.coordinator.state.topic.replication.factor": 1,
  "share.coordinator.state.topic.min.isr": 1,
  "share.coordinator.state.topic.num.partitions": 1,
  "group.initial.rebalance.delay.ms": 0,
  // After a kill -9 it takes itself for another that still lives, until that one's session ends.
  "broker.session.timeout.ms": 2000,
  "broker.heartbeat.interval.ms": 250,
  // Retention is looked after every five minutes else, first after half a minute.
  "log.retention.check.interval.ms": 500,
  "log.initial.task.delay.ms": 500,
  "log.segment.delete.delay.ms": 500,
  // Little memory and few threads: tests share the machine.
  "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
  "num.network.threads": 2,
  "num.io.threads": 4,
  "background.threads": 2,
};

function saslOf(listener: string): Record<string, string> {
  const name = `listener.name.${listener.toLowerCase()}`;
  const { username, password } = saslUser;
  const plain =
    `${security}.plain.PlainLoginModule required username="broker" password="unused"` +
    ` user_${username}="${password}";`;
  return {
    [`${name}.sasl.enabled.mechanisms`]: "SCRAM-SHA-256,PLAIN",
    [`${name}.plain.sasl.jaas.config`]: plain,
    [`${name}.scram-sha-256.sasl.jaas.config`]: `${security}.scram.ScramLoginModule required;`,
  };
}

function tlsOf(listener: string, keystore: string): Record<string, string> {
  const name = `listener.name.${listener.toLowerCase()}`;
  return {
    [`${name}.ssl.keystore.type`]: "PKCS12",
    [`${name}.ssl.keystore.location`]: keystore,
    [`${name}.ssl.keystore.password`]: keystorePassword,
    [`${name}.ssl.key.password`]: keystorePassword,
  };
}

/** `server.properties` of a broker on `host`; `more` wins over everything above. */
export function brokerSettings(
  ports: BrokerPorts,
  files: { logs: string; keystore: string },
  more: Record<string, string | number | boolean>,
  host = brokerHost,
): string {
  const listeners: [name: string, protocol: string, port: number][] = [
    ["PLAIN", "PLAINTEXT", ports.plain],
  ];
  let own: Record<string, string> = {};
  if (ports.sasl !== undefined) {
    listeners.push(["SASL", "SASL_PLAINTEXT", ports.sasl]);
    own = { ...own, ...saslOf("SASL") };
  }
  if (ports.tls !== undefined) {
    listeners.push(["TLS", "SSL", ports.tls]);
    own = { ...own, ...tlsOf("TLS", files.keystore) };
  }
  if (ports.saslTls !== undefined) {
    listeners.push(["SASLTLS", "SASL_SSL", ports.saslTls]);
    own = { ...own, ...saslOf("SASLTLS"), ...tlsOf("SASLTLS", files.keystore) };
  }
  const advertised = listeners.map(([name, , port]) => `${name}://${host}:${port}`);
  const controller = `${brokerHost}:${ports.controller}`;
  const protocols = listeners.map(([name, protocol]) => `${name}:${protocol}`);
  const all = {
    ...small,
    "log.dirs": files.logs,
    listeners: [...advertised, `CONTROLLER://${controller}`].join(),
    "advertised.listeners": advertised.join(),
    "listener.security.protocol.map": [...protocols, "CONTROLLER:PLAINTEXT"].join(),
    "controller.quorum.voters": `1@${controller}`,
    ...own,
    ...more,
  };
  return Object.entries(all)
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");
}
