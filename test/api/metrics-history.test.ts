import { describe, expect, it } from "vitest";
import type { HistoryRequest } from "../../src/query/metrics-history.ts";
import { makeApi } from "./api-fixture.ts";

const empty = {
  from: "2026-11-24T11:00:00.000Z",
  to: "2026-11-24T12:00:00.000Z",
  stepSeconds: 60,
  intervalSeconds: 60,
  series: [],
  isCut: false,
};

async function asking() {
  const asked: HistoryRequest[] = [];
  const metricsHistory = async (request: HistoryRequest) => {
    asked.push(request);
    return empty;
  };
  const { app } = await makeApi({ metricsHistory });
  const get = async (query: string) => {
    const reply = await app.inject({ method: "GET", url: `/metrics/history?${query}` });
    return { status: reply.statusCode, body: reply.json() };
  };
  return { get, asked };
}

describe("GET /metrics/history", () => {
  it("asks for names, labels, a range and a step", async () => {
    const { get, asked } = await asking();
    const range = "from=2026-11-24T11:00:00Z&to=2026-11-24T12:00:00Z";
    const query = `name=a&name=b_total&name=a&label.route=/events&step=60&as=value&${range}`;
    expect(await get(query)).toEqual({ status: 200, body: empty });
    expect(asked[0]).toMatchObject({
      names: ["a", "b_total"],
      labels: { route: "/events" },
      stepSeconds: 60,
      as: "value",
      range: { from: Date.UTC(2026, 10, 24, 11), to: Date.UTC(2026, 10, 24, 12) },
    });
    await get("name=a");
    expect(asked[1]).toMatchObject({ stepSeconds: undefined, as: "auto", labels: {} });
  });

  it.each([
    ["", "name: expected a metric's name, got none"],
    ["name=A", 'name: expected a metric\'s name, got "A"'],
    [
      `${"name=a&".repeat(1)}${Array.from({ length: 20 }, (_, i) => `name=n${i}`).join("&")}`,
      "21",
    ],
    ["name=a&label.A=x", "label.A"],
    ["name=a&label.x=1&label.x=2", "label.x: expected one value, got 2"],
    ["name=a&step=0", 'step: expected an integer 1..86400, got "0"'],
    ["name=a&as=sum", "as: expected one of auto, rate, value"],
    ["name=a&timeRange=soon", "timeRange"],
    ["name=a&k=1", 'there is no parameter "k"'],
  ])("refuses %j", async (query, detail) => {
    const { get, asked } = await asking();
    const { status, body } = await get(query);
    expect(status).toBe(400);
    expect(body.detail).toContain(detail);
    expect(asked).toEqual([]);
  });
});
