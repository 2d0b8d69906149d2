import { describe, expect, it } from "vitest";
import {
  isRegionName,
  isReservedType,
  parseRegionType,
  regionTypeBytesMore,
  regionTypeName,
} from "../src/model-regions.ts";

describe("names of event types of other regions", () => {
  it.each(["song_play", "", "\u001f", "a\u001fb", "\u001feu\u001fx", "größe"])(
    "are taken apart into what they were made of: %j",
    (eventType) => {
      const name = regionTypeName("eu-west-1", eventType);
      expect(parseRegionType(name)).toEqual({ region: "eu-west-1", eventType });
      expect(isReservedType(name)).toBe(true);
    },
  );

  it.each(["song_play", "\u001f", "\u001feu", "\u001fEU\u001fx", "\u001f\u001fx"])(
    "are no other names: %j",
    (eventType) => expect(parseRegionType(eventType)).toEqual({ region: null, eventType }),
  );

  it("take no more bytes than said", () => {
    const region = "a".repeat(16);
    expect(isRegionName(region)).toBe(true);
    expect(Buffer.byteLength(regionTypeName(region, "x"))).toBe(1 + regionTypeBytesMore);
  });
});

describe("names of regions", () => {
  it.each(["eu", "e", "eu-west-1", "0"])("may be %s", (name) => {
    expect(isRegionName(name)).toBe(true);
  });
  it.each(["", "-eu", "eu-", "EU", "eu west", "a".repeat(17), "ü", "eu_1"])(
    "may not be %j",
    (name) => expect(isRegionName(name)).toBe(false),
  );
});
