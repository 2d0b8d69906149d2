// Brokers that want TLS, a name and a password: the service with the right ones counts, with a
// wrong one it ends within seconds and says what is wrong.
import { beforeAll, describe, expect, it } from "vitest";
import { freshTopic, startKafka } from "../support/kafka.ts";
import type { KafkaBroker } from "../support/kafka-broker.ts";
import { saslUser } from "../support/kafka-settings.ts";
import { RankstreamProcess, startRankstream } from "../support/service.ts";
import { kafkaFlags } from "./kafka-world.ts";

/** Seven starts at once, on a machine that does other things, too. */
const failMsMax = 50_000;
let broker: KafkaBroker;

beforeAll(async () => {
  broker = await startKafka({ sasl: true, tls: true });
});

const sasl = (mechanism: string) => [
  ...["--kafka-sasl", mechanism, "--kafka-sasl-username", saslUser.username],
];
const passwordOf = (password: string) => ({ RANKSTREAM_KAFKA_SASL_PASSWORD: password });
const tls = () => ["--kafka-tls", "on", "--kafka-tls-ca", broker.certificatePath];

describe("brokers that want to know who comes", () => {
  it("over TLS and SCRAM are written to and read from", async () => {
    const topic = freshTopic("secured");
    const secured = [...kafkaFlags(broker.saslTlsAddress, topic), ...tls()];
    const args = [...secured, ...sasl("scram-sha-256")];
    const service = await startRankstream({ args, env: passwordOf(saslUser.password) });
    const lines = ['{"eventId":"a","eventType":"play"}', "{}"].join("\n");
    expect((await service.post(lines)).status).toBe(202);
    const exact = { eventType: "play", timeRange: "all", mode: "exact" };
    expect((await service.get("/leaderboard", exact)).body.total).toBe(1);
    await service.stop();
    expect(service.stderr).not.toContain(saslUser.password);
  });

  const wrong: [what: string, args: () => string[], message: RegExp, password?: string][] = [
    [
      "a wrong password over SCRAM",
      () => [...kafkaFlags(broker.saslAddress, "any"), ...sasl("scram-sha-256")],
      /authentication failed/i,
      "not the password",
    ],
    [
      "a wrong password over PLAIN",
      () => [...kafkaFlags(broker.saslAddress, "any"), ...sasl("plain")],
      /authentication failed|invalid username or password/i,
      "guessed",
    ],
    [
      "a mechanism that is not offered",
      () => [...kafkaFlags(broker.saslAddress, "any"), ...sasl("scram-sha-512")],
      /does not support the requested SASL mechanism/i,
    ],
    [
      "a certificate of nobody known",
      () => [...kafkaFlags(broker.tlsAddress, "any"), "--kafka-tls", "on"],
      /self-signed certificate/i,
    ],
    [
      "a certificate's file that is not there",
      () => [
        ...kafkaFlags(broker.tlsAddress, "any"),
        ...["--kafka-tls", "on", "--kafka-tls-ca", "/not/there.pem"],
      ],
      /kafkaTlsCa: the file \/not\/there\.pem can not be read \(ENOENT\)/,
    ],
    [
      "no TLS where it is wanted",
      () => kafkaFlags(broker.tlsAddress, "any"),
      /brokers 127\.0\.0\.1/,
    ],
    [
      "a broker that is not there",
      () => kafkaFlags("127.0.0.1:1", "any"),
      /ECONNREFUSED|Connection error.*brokers 127\.0\.0\.1:1/,
    ],
  ];

  it("make a start with anything wrong end soon, and say what it is", async () => {
    const ended = wrong.map(async ([what, args, message, password]) => {
      const begun = performance.now();
      const env = passwordOf(password ?? saslUser.password);
      const service = new RankstreamProcess({ args: args(), env });
      const { code } = await service.exited;
      const tookMs = performance.now() - begun;
      expect([what, code]).toEqual([what, 1]);
      expect(service.stderr, what).toMatch(message);
      expect(service.stderr, what).not.toMatch(/not the password|guessed/);
      expect(tookMs, what).toBeLessThan(failMsMax);
      return `${what} ${Math.round(tookMs)} ms: ${service.stderr.trim().split("\n").at(-1)}`;
    });
    console.info((await Promise.all(ended)).join("\n"));
  });
});
