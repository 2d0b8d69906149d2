// Where a Kafka is for the tests, and how one comes here: an installed one, or its jars from
// Maven Central in a cache outside the repository, run by a Java of this machine.
import { spawnSync } from "node:child_process";
import { existsSync, realpathSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cacheFolder, firstExecutable, inFreshFolder, onPath } from "./programs.mjs";

const kafkaVersion = "4.4.0";
const kafkaJar = `kafka_2.13-${kafkaVersion}.jar`;
const javaVersionMin = 17;
const javaAskMsMax = 10_000;
const downloadMsMax = 10 * 60_000;

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>rankstream</groupId>
  <artifactId>test-kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${kafkaVersion}</version>
      <scope>runtime</scope>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka-tools</artifactId>
      <version>${kafkaVersion}</version>
      <scope>runtime</scope>
    </dependency>
  </dependencies>
</project>
`;

function cachedJars() {
  // Named after its newest part: a cache from before that one lacks it.
  return join(cacheFolder(), `kafka-${kafkaVersion}-with-tools`);
}

/** Path of a Java that is new enough; a macOS without one has a program that only says so. */
function findJava() {
  const home = process.env["JAVA_HOME"];
  const java = (home && firstExecutable([join(home, "bin", "java")])) || onPath("java");
  if (java === undefined) return undefined;
  const asked = spawnSync(java, ["-version"], { encoding: "utf8", timeout: javaAskMsMax });
  const version = /version "(\d+)/.exec(asked.stderr ?? "");
  return version !== null && Number(version[1]) >= javaVersionMin ? java : undefined;
}

/** The jars of an installed Kafka: beside the folder of its programs. */
function installedJars() {
  const home = process.env["KAFKA_HOME"];
  const named = home && firstExecutable([join(home, "bin", "kafka-server-start.sh")]);
  const script = named || onPath("kafka-server-start.sh", "kafka-server-start");
  if (script === undefined) return undefined;
  const above = dirname(dirname(realpathSync(script)));
  // Homebrew has only short scripts in bin and all the rest in libexec.
  return [join(above, "libs"), join(above, "libexec", "libs")].find((path) => existsSync(path));
}

/** `{ java, jars }` with which a Kafka can be started here; undefined where there is none. */
export function findKafka() {
  const kept = existsSync(join(cachedJars(), kafkaJar)) ? cachedJars() : undefined;
  const jars = installedJars() ?? kept;
  if (jars === undefined) return undefined;
  const java = findJava();
  return java && { java, jars };
}

/** Where tests find their Kafka, in words; an address in KAFKA_BROKERS is taken at its word. */
export function describeKafka() {
  const brokers = process.env["KAFKA_BROKERS"];
  if (brokers) return `at ${brokers} (KAFKA_BROKERS)`;
  const found = findKafka();
  return found && `${found.jars} with ${found.java}`;
}

function isOffered(debianPackage) {
  return spawnSync("apt-cache", ["show", debianPackage], { stdio: "ignore" }).status === 0;
}

/** The Debian packages that are missing to fetch and to run the jars. */
export function kafkaPackages() {
  const packages = [];
  if (findJava() === undefined) {
    const java = `openjdk-${javaVersionMin}-jre-headless`;
    packages.push(isOffered(java) ? java : "default-jre-headless");
  }
  if (findKafka() === undefined && onPath("mvn") === undefined) packages.push("maven");
  return packages;
}

/** Fetches the jars into the cache: all of them under their name, or none. */
export function installKafka() {
  if (describeKafka() !== undefined) return;
  const mvn = onPath("mvn");
  if (mvn === undefined || findJava() === undefined || existsSync(join(cachedJars(), kafkaJar))) {
    return;
  }
  inFreshFolder((folder) => {
    writeFileSync(join(folder, "pom.xml"), pom);
    const goal = ["dependency:copy-dependencies", "-DincludeScope=runtime"];
    const done = spawnSync(mvn, ["-q", "-B", ...goal, "-DoutputDirectory=jars"], {
      cwd: folder,
      stdio: ["ignore", 2, 2],
      timeout: downloadMsMax,
    });
    if (done.error) throw done.error;
    if (done.status !== 0) throw new Error(`mvn ${goal.join(" ")} ended with ${done.status}`);
    keep(join(folder, "jars"));
  });
}

function keep(jars) {
  try {
    renameSync(jars, cachedJars());
  } catch (error) {
    // Somebody else was quicker.
    if (!existsSync(join(cachedJars(), kafkaJar))) throw error;
  }
}

/** What to do where none could be brought: first what is missing here. */
export function kafkaHelp() {
  const lines = [];
  if (findJava() === undefined) {
    lines.push(
      `Java ${javaVersionMin} or newer is missing`,
      `  Debian, Ubuntu: sudo apt-get install -y openjdk-${javaVersionMin}-jre-headless`,
      "  macOS: brew install openjdk, and its bin on the PATH",
    );
  }
  if (installedJars() === undefined && !existsSync(join(cachedJars(), kafkaJar))) {
    if (onPath("mvn") !== undefined) {
      lines.push("Kafka's jars are missing; npm run test:services fetches them");
    } else {
      lines.push(
        "Maven is missing, which fetches Kafka's jars; once it is here: npm run test:services",
        "  Debian, Ubuntu: sudo apt-get install -y maven",
        "  macOS: brew install maven",
      );
    }
  }
  lines.push(
    "or unpack Apache Kafka (https://kafka.apache.org/downloads) and set KAFKA_HOME",
    "or name a broker that runs (Kafka, Redpanda) in KAFKA_BROKERS, which does for all tests" +
      " but those that kill one or run Kafka's own producer",
  );
  const engine = onPath("docker", "podman");
  if (engine !== undefined) {
    lines.push(
      `${engine} can run one: ${engine} run -d -p 9092:9092 apache/kafka:${kafkaVersion};` +
        " then KAFKA_BROKERS=127.0.0.1:9092",
    );
  }
  return lines;
}
