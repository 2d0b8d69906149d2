// Commands, code and plots that the page makes, without a page.
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { curlOf, embedOf } from "../../src/web/board/elsewhere.ts";
import { curlCommand, shellWord } from "../../src/web/clipboard.ts";
import { type ShownView, viewOfAddress } from "../../src/web/view-state.ts";

describe("a shell's word", () => {
  it.each(["plain", "it's", "a b", 'say "$HOME"', "`ls`;&|\\", "", "ü\n*"])(
    "is one: %j",
    (text) => {
      const printed = spawnSync("sh", ["-c", `printf %s ${shellWord(text)}`], {
        encoding: "utf8",
      });
      expect(printed.stdout).toBe(text);
    },
  );
});

describe("a command for a service with keys", () => {
  it("sends what the variable holds, and asks for the address as it is", () => {
    const command = curlCommand("http://h/items?eventId=it's", true);
    const words = command.replace(/^curl/, "printf '%s\\n'");
    const env = { RANKSTREAM_KEY: "rsk_a_b" };
    const printed = spawnSync("sh", ["-c", words], { encoding: "utf8", env });
    const expected = ["-H", "Authorization: Bearer rsk_a_b", "http://h/items?eventId=it's", ""];
    expect(printed.stdout.split("\n")).toEqual(expected);
  });
});

describe("views elsewhere", () => {
  const view = {
    ...viewOfAddress("?eventType=a%26b&timeRange=all&k=5&item=x"),
    isChosen: true,
  } as ShownView;

  it("are asked by curl, and framed without the item that is open", () => {
    const address = "http://h/leaderboard?eventType=a%26b&timeRange=all&k=5";
    expect(curlOf(view, "http://h", false)).toBe(`curl '${address}'`);
    expect(embedOf(view, "http://h")).toContain(
      'src="http://h/?eventType=a%26b&amp;timeRange=all&amp;k=5&amp;embed=1"',
    );
  });

  it("are framed as high as their rows are, up to a bound", () => {
    const heightOf = (k: string) => {
      const text = /height="(\d+)"/.exec(embedOf({ ...view, k }, "http://h"))?.[1];
      return Number(text);
    };
    expect(heightOf("10") - heightOf("5")).toBe(5 * 47);
    expect(heightOf("1000")).toBe(1200);
  });
});
