// Exit 0 when the service in this container takes events and answers questions, else 1 with the
// reason. Knows the address from the environment; a command with --port has to set it there.
// Where clients need a certificate, which this one hasn't, it looks whether anybody listens.
import { request as plainRequest } from "node:http";
import { request as tlsRequest } from "node:https";
import { connect } from "node:net";

const answerMsMax = 4000;
const bodyCharsMax = 2000;
const host = "127.0.0.1";
const environment = process.env;
const port = Number(environment["RANKSTREAM_PORT"] ?? 8080);

function end(code, text) {
  process.stdout.write(`${text}\n`);
  process.exit(code);
}

function isSet(name) {
  return (environment[name] ?? "none") !== "none";
}

function ask() {
  // Its certificate is of the name that others know it by.
  const options = { host, port, path: "/health/ready", rejectUnauthorized: false };
  return (isSet("RANKSTREAM_TLS_CERT") ? tlsRequest : plainRequest)(options, (response) => {
    let body = "";
    response.setEncoding("utf8").on("data", (text) => {
      body = (body + text).slice(0, bodyCharsMax);
    });
    response.on("end", () => end(response.statusCode === 200 ? 0 : 1, body));
  }).end();
}

const asked = isSet("RANKSTREAM_TLS_CLIENT_CA")
  ? connect({ host, port }, () => end(0, "somebody listens"))
  : ask();
asked.on("error", (error) => end(1, `port ${port}: ${error.message}`));
setTimeout(() => end(1, `no answer on port ${port} in ${answerMsMax} ms`), answerMsMax);
