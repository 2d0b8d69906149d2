// The gate before what a page asks, without a page: a made service that wants a key.
import { describe, expect, it } from "vitest";
import { KeyGate, type KeyStorage } from "../../src/web/key-gate.ts";

const storageName = "rankstream-key";
const good = "rsk_board_good";

/** A storage of a tab. */
function storageOf(kept: Record<string, string> = {}) {
  const storage: KeyStorage = {
    getItem: (name) => kept[name] ?? null,
    setItem: (name, value) => {
      kept[name] = value;
    },
    removeItem: (name) => {
      delete kept[name];
    },
  };
  return { storage, kept };
}

function problem(status: number, code: string, more: object = {}): Response {
  const document = { code, title: "Title", detail: "detail", ...more };
  const headers = { "content-type": "application/problem+json" };
  return new Response(JSON.stringify(document), { status, headers });
}

/** Lets in whom `judge` says; `asked` are the keys that came, "" for none. */
function serviceOf(judge: (key: string) => Response) {
  const asked: string[] = [];
  const fetch: typeof globalThis.fetch = async (_input, init) => {
    const key = new Headers(init?.headers).get("authorization")?.replace("Bearer ", "") ?? "";
    asked.push(key);
    return judge(key);
  };
  return { asked, fetch };
}

const ok = () => new Response("{}");

describe("the gate", () => {
  it("asks without a key for as long as nobody wants one", async () => {
    const { asked, fetch } = serviceOf(ok);
    const gate = new KeyGate({ storage: null, fetch });
    expect((await gate.fetch("/x")).status).toBe(200);
    expect([asked, gate.key, gate.refusal]).toEqual([[""], null, null]);
    expect(await gate.keyToSend()).toBeUndefined();
  });

  it("closes when a key is wanted, sends nothing, and goes on with the one given", async () => {
    const { asked, fetch } = serviceOf((key) =>
      key === good ? ok() : problem(401, "key_required"),
    );
    const { storage, kept } = storageOf();
    const gate = new KeyGate({ storage, fetch });
    const heard: (string | null)[] = [];
    gate.listen(() => heard.push(gate.refusal?.code ?? null));
    const waiting = [gate.fetch("/a"), gate.fetch("/b", { method: "POST", body: "x" })];
    await expect.poll(() => gate.refusal?.code).toBe("key_required");
    const later = gate.fetch("/c");
    const live = gate.keyToSend();
    const given = AbortSignal.abort(new Error("enough"));
    await expect(gate.fetch("/d", { signal: given })).rejects.toThrow("enough");
    expect(asked).toEqual(["", ""]);
    gate.give(good);
    const statuses = (await Promise.all([...waiting, later])).map(({ status }) => status);
    expect(statuses).toEqual([200, 200, 200]);
    expect([await live, kept[storageName], gate.refusal]).toEqual([good, good, null]);
    expect(asked).toEqual(["", "", good, good, good]);
    expect(heard).toEqual(["key_required", null]);
  });

  it("drops a key that is none any more, and one that may not read", async () => {
    const scope = "read";
    const refusals = [
      problem(401, "key_invalid"),
      problem(401, "key_expired"),
      problem(403, "forbidden_scope", { scope }),
    ];
    for (const refusal of refusals) {
      const { asked, fetch } = serviceOf((key) => (key === good ? ok() : refusal.clone()));
      const { storage, kept } = storageOf({ [storageName]: "rsk_old" });
      const gate = new KeyGate({ storage, fetch });
      const reply = gate.fetch("/x");
      await expect.poll(() => gate.refusal).not.toBeNull();
      expect([gate.key, kept]).toEqual([null, {}]);
      gate.give(good);
      expect((await reply).status).toBe(200);
      expect(asked).toEqual(["rsk_old", good]);
    }
  });

  it("hands on what is refused to this key alone, and what others refuse", async () => {
    const replies = [
      problem(403, "forbidden_scope", { scope: "admin" }),
      problem(403, "forbidden_event_type"),
      new Response("<p>log in</p>", { status: 401 }),
    ];
    for (const reply of replies) {
      const { fetch } = serviceOf(() => reply);
      const gate = new KeyGate({ storage: storageOf({ [storageName]: good }).storage, fetch });
      expect((await gate.fetch("/x")).status).toBe(reply.status);
      expect([gate.key, gate.refusal]).toEqual([good, null]);
    }
  });

  it("heeds no refusal of a key that another one has taken the place of", async () => {
    let answer: (response: Response) => void = () => undefined;
    const first = new Promise<Response>((resolve) => {
      answer = resolve;
    });
    const asked: (string | null)[] = [];
    const fetch: typeof globalThis.fetch = (_input, init) => {
      asked.push(new Headers(init?.headers).get("authorization"));
      return asked.length === 1 ? first : Promise.resolve(ok());
    };
    const gate = new KeyGate({ storage: null, fetch });
    const reply = gate.fetch("/x");
    await expect.poll(() => asked.length).toBe(1);
    gate.give(good);
    answer(problem(401, "key_required"));
    expect((await reply).status).toBe(200);
    expect([gate.key, gate.refusal]).toEqual([good, null]);
  });

  it("takes a key that is offered once it has proved good, else says why not", async () => {
    const wrong: Record<string, Response> = {
      rsk_none: problem(401, "key_invalid"),
      rsk_ingest: problem(403, "forbidden_scope", { scope: "read" }),
      rsk_proxy: new Response("", { status: 502 }),
    };
    const { asked, fetch } = serviceOf((key) => wrong[key]?.clone() ?? ok());
    const gate = new KeyGate({ storage: null, fetch });
    expect(await gate.offer("two words")).toContain("no key");
    expect(asked).toEqual([]);
    expect(await gate.offer("rsk_none")).toBe("Title: detail.");
    expect(await gate.offer("rsk_ingest")).toBe("Title: detail.");
    expect(await gate.offer("rsk_proxy")).toContain("status 502");
    expect(gate.key).toBeNull();
    expect(await gate.offer(` ${good}\n`)).toBe("");
    expect(gate.key).toBe(good);
    gate.forget();
    expect(gate.key).toBeNull();
  });
});
