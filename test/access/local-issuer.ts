// An issuer of tokens on this machine: serves its description and its keys, and signs.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { onTestFinished } from "vitest";

interface SigningKey {
  kid: string;
  alg: string;
  privateKey: CryptoKey;
  jwk: object;
}

export class LocalIssuer {
  url = "";
  keys: SigningKey[] = [];
  /** Requests by path since the start. */
  readonly asked: string[] = [];
  /** Answers 500 where it is set. */
  isFailing = false;
  /** Instead of its own description. */
  description: object | null = null;
  #made = 0;

  static async start(): Promise<LocalIssuer> {
    const issuer = new LocalIssuer();
    const server = createServer((request, response) => {
      const path = request.url ?? "";
      issuer.asked.push(path);
      const replies: Record<string, object> = {
        "/.well-known/openid-configuration": issuer.description ?? {
          issuer: issuer.url,
          jwks_uri: `${issuer.url}/keys`,
        },
        "/keys": { keys: issuer.keys.map(({ jwk }) => jwk) },
      };
      const reply = issuer.isFailing ? undefined : replies[path];
      response.writeHead(reply === undefined ? 500 : 200, { "content-type": "application/json" });
      response.end(JSON.stringify(reply ?? {}));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    issuer.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    await issuer.addKey("RS256");
    return issuer;
  }

  /** A further key; the tokens that follow are signed with it unless another is named. */
  async addKey(alg: string): Promise<SigningKey> {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const kid = `key-${++this.#made}`;
    const key = { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg } };
    this.keys.push(key);
    return key;
  }

  /** A token; `claims` win over those of a good one, undefined leaves one out. */
  async sign(claims: JWTPayload = {}, key = this.keys.at(-1) as SigningKey): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const good = { iss: this.url, aud: "rankstream", sub: "alice", exp: now + 600, iat: now };
    const payload = Object.entries({ ...good, scope: "read", ...claims });
    const kept = Object.fromEntries(payload.filter(([, value]) => value !== undefined));
    const { kid, alg, privateKey } = key;
    return new SignJWT(kept).setProtectedHeader({ alg, kid }).sign(privateKey);
  }
}
