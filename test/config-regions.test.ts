// The options of several regions: what is refused, and what they come to.
import { describe, expect, it } from "vitest";
import { loadConfig } from "../src/config.ts";
import { regionsOf } from "../src/config-regions.ts";

const load = (region: string, regionPeers: string) =>
  loadConfig({ environment: { RANKSTREAM_REGION: region, RANKSTREAM_REGION_PEERS: regionPeers } })
    .config;

describe("regions", () => {
  it("are none by default", () => {
    expect(regionsOf(loadConfig({}).config)).toBeNull();
  });

  it("are named with their addresses, the lost ones without", () => {
    const config = load("us", "eu=https://eu.example.org:8443/rank, asia=lost");
    expect(regionsOf(config)).toEqual({
      own: "us",
      peers: [
        { name: "asia", address: null },
        { name: "eu", address: "https://eu.example.org:8443/rank" },
      ],
    });
    expect(regionsOf(load("us", "none"))).toEqual({ own: "us", peers: [] });
  });

  it.each([
    ["none", "eu=https://eu", "regionPeers: expected --region"],
    ["US", "none", "region: expected a to z"],
    ["a-name-of-seventeen", "none", "region: expected a to z"],
    ["us", "us=https://us", "us is this region's own name"],
    ["us", "eu=https://a,eu=https://b", "eu is there twice"],
    ["us", "Eu=https://a", "regionPeers: expected a to z, 0 to 9 and inner"],
    ["us", "eu", "expected name=https://host or name=lost, by comma, got one without ="],
    ["us", "eu=ftp://host", "eu: expected name=https://host or name=lost"],
    ["us", "eu=https://user:secret@host", "without user, password and query"],
    ["us", Array.from({ length: 16 }, (_, i) => `r${i}=lost`).join(","), "at most 15, got 16"],
  ])("refuses region %s with peers %s", (region, peers, expected) => {
    expect(() => load(region, peers)).toThrow(expected);
    expect(() => load(region, peers)).not.toThrow("secret");
  });
});
