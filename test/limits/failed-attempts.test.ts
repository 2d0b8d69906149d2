// Wrong keys from one address: bounded a minute, without locking out who is right.
import { expect, it } from "vitest";
import type { Access } from "../../src/access/access.ts";
import { RankstreamError } from "../../src/errors.ts";
import { FailedAttempts, guarded } from "../../src/limits/failed-attempts.ts";
import { everybody, type Principal } from "../../src/model-access.ts";
import { Metrics } from "../../src/telemetry-metrics.ts";

/** `right-<id>` is a key; the answer comes at once, or later where it says so. */
function makeAccess(isLater = false) {
  const clock = { now: 0 };
  const judge = (authorization: string | undefined): Principal => {
    if (authorization === undefined) throw new RankstreamError("key_required", "none came");
    if (!authorization.startsWith("right-")) throw new RankstreamError("key_invalid", "wrong");
    return { ...everybody, id: authorization.slice("right-".length) };
  };
  const access: Access = {
    isOpen: false,
    isCurrent: () => true,
    authenticate: ({ authorization }) =>
      isLater ? Promise.resolve().then(() => judge(authorization)) : judge(authorization),
  };
  const metrics = new Metrics();
  const attempts = new FailedAttempts({ failuresMax: 3, metrics, now: () => clock.now });
  return { access: guarded(access, attempts), clock, metrics };
}

async function codeOf(access: Access, from: string, authorization?: string): Promise<string> {
  try {
    const { id } = await access.authenticate({ authorization, address: () => from });
    return id;
  } catch (error) {
    return (error as RankstreamError).code;
  }
}

it.each([false, true])(
  "are refused beyond the bound, until the minute is over (%s)",
  async (later) => {
    const { access, clock } = makeAccess(later);
    for (let i = 0; i < 3; i++) expect(await codeOf(access, "a", `guess${i}`)).toBe("key_invalid");
    for (let i = 0; i < 3; i++) expect(await codeOf(access, "a", `more${i}`)).toBe("rate_limited");
    // The right one is no more told than a wrong one.
    expect(await codeOf(access, "a", "right-x")).toBe("rate_limited");
    expect(await codeOf(access, "b", "guess")).toBe("key_invalid");
    clock.now += 60_000;
    expect(await codeOf(access, "a", "right-x")).toBe("x");
  },
);

it("don't shut out who has been let in from that address before", async () => {
  const { access } = makeAccess();
  expect(await codeOf(access, "a", "right-x")).toBe("x");
  for (let i = 0; i < 9; i++) await codeOf(access, "a", "guess");
  expect(await codeOf(access, "a", "right-x")).toBe("x");
  expect(await codeOf(access, "a", "right-y")).toBe("rate_limited");
  expect(await codeOf(access, "b", "right-y")).toBe("y");
});

it("are only those with a key: to come without one is no guess", async () => {
  const { access } = makeAccess();
  for (let i = 0; i < 9; i++) expect(await codeOf(access, "a")).toBe("key_required");
  expect(await codeOf(access, "a", "right-x")).toBe("x");
});

it("say when to come again, and are counted", async () => {
  const { access, clock, metrics } = makeAccess();
  for (let i = 0; i < 3; i++) await codeOf(access, "a", "guess");
  clock.now += 15_000;
  const asked = () => access.authenticate({ authorization: "guess", address: () => "a" });
  expect(asked).toThrow(
    expect.objectContaining({ code: "rate_limited", retryAfterSeconds: 45 }) as Error,
  );
  expect(await metrics.text()).toContain("rankstream_limits_attempts_refused_total 1\n");
});
