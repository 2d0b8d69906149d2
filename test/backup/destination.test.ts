/** Both kinds of places for backups keep the same promises: a folder, and a real S3 server. */
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Destination } from "../../src/backup/destination.ts";
import { openDestination } from "../../src/backup/open-destination.ts";
import { s3Place } from "../../src/model-backup.ts";
import { hasS3, startS3 } from "../support/s3.ts";
import type { S3Server } from "../support/s3-server.ts";
import { temporaryFolder } from "../support/service.ts";

const plain = { endpoint: null, region: null, credentials: null };

async function namesOf(destination: Destination, prefix: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of destination.list(prefix)) names.push(name);
  return names.sort();
}

function describePlace(title: string, open: (prefix: string) => Promise<Destination>): void {
  describe(title, () => {
    let place: Destination;
    beforeAll(async () => {
      place = await open("a/place");
    });

    it("keeps objects under their names, and tells of none that is not there", async () => {
      expect(await place.get("one/two.bin")).toBeNull();
      expect(await namesOf(place, "")).toEqual([]);
      const bytes = Buffer.from([0, 255, 1, 254]);
      await place.put("one/two.bin", bytes);
      expect(await place.get("one/two.bin")).toEqual(bytes);
      await place.put("one/two.bin", Buffer.from("anew"));
      expect(String(await place.get("one/two.bin"))).toBe("anew");
      await place.put("one/empty", new Uint8Array(0));
      expect(await place.get("one/empty")).toHaveLength(0);
      await place.settle();
    });

    it("makes an object once, whoever comes second", async () => {
      const made = await Promise.all(
        Array.from({ length: 8 }, (_, i) => place.create("once", Buffer.from(`by ${i}`))),
      );
      expect(made.filter(Boolean)).toHaveLength(1);
      expect(String(await place.get("once"))).toBe(`by ${made.indexOf(true)}`);
    });

    it("lists by prefix, however many there are, with sizes and times", async () => {
      const before = Date.now() - 5000;
      const names = Array.from({ length: 1100 }, (_, i) => `many/${i % 7}/${i}`);
      const left = [...names];
      const putNext = async () => {
        for (let name = left.pop(); name !== undefined; name = left.pop()) {
          await place.put(name, Buffer.from(name));
        }
      };
      await Promise.all(Array.from({ length: 16 }, putNext));
      expect(await namesOf(place, "many/")).toEqual(names.toSorted());
      expect(await namesOf(place, "many/3/10")).toEqual(
        names.filter((name) => name.startsWith("many/3/10")).sort(),
      );
      for await (const { name, bytes, modifiedAt } of place.list("many/1/")) {
        expect(bytes).toBe(name.length);
        expect(modifiedAt).toBeGreaterThan(before);
        expect(modifiedAt).toBeLessThan(Date.now() + 5000);
      }
    }, 120_000);

    it("removes what is there, and minds nothing that is not", async () => {
      await place.put("gone/a", Buffer.from("a"));
      await place.put("gone/b", Buffer.from("b"));
      await place.remove(["gone/a", "gone/never", "gone/b"]);
      expect(await namesOf(place, "gone/")).toEqual([]);
    });

    it("knows nothing of what lies beside it", async () => {
      const other = await open("a/place-2");
      await other.put("theirs", Buffer.from("x"));
      expect(await place.get("theirs")).toBeNull();
      expect(await namesOf(place, "theirs")).toEqual([]);
      await other.close();
    });
  });
}

const folder = temporaryFolder();
describePlace("a folder", (prefix) =>
  openDestination({ ...plain, address: join(folder, prefix) }),
);

if (hasS3()) {
  let server: S3Server;
  const open = async (prefix: string) => {
    server ??= await startS3();
    const { endpoint, credentials, bucket } = server;
    return openDestination({
      ...plain,
      address: `s3://${bucket}/${prefix}`,
      endpoint,
      credentials,
    });
  };
  describePlace("S3", open);

  describe("S3 that refuses", () => {
    it("is told of with address, deed and reason, without secrets", async () => {
      const { endpoint, bucket } = server;
      const credentials = { accessKeyId: "nobody", secretAccessKey: "hush" };
      const address = `s3://${bucket}/x`;
      const place = await openDestination({ ...plain, address, endpoint, credentials });
      const refused = await place.put("a", Buffer.from("a")).catch((error) => error);
      expect(refused).toMatchObject({ code: "backup_unreachable" });
      expect(refused.message).toMatch(/^s3:\/\/backups\/x\/: writing a failed \(\w+: /);
      expect(refused.message).not.toContain("hush");
    });
  });
}

describe("a folder", () => {
  it("that can't be written is told of", async () => {
    const path = join(temporaryFolder(), "file");
    writeFileSync(path, "");
    const place = await openDestination({ ...plain, address: join(path, "x") });
    await expect(place.put("a", Buffer.from("a"))).rejects.toMatchObject({
      code: "backup_unreachable",
      message: expect.stringMatching(/writing a failed \(ENOTDIR\)$/),
    });
  });

  it("loses what a crash left half written, after a day, and nobody else's files", async () => {
    const path = temporaryFolder();
    mkdirSync(join(path, "objects"));
    const [old, fresh, other] = [
      join(path, "objects", ".abc.0123456789ab.tmp"),
      join(path, "objects", ".def.0123456789ab.tmp"),
      join(path, "objects", ".nfs000001"),
    ];
    for (const file of [old, fresh, other]) writeFileSync(file!, "");
    const before = Date.now() / 1000 - 90_000;
    utimesSync(old!, before, before);
    utimesSync(other!, before, before);
    const place = await openDestination({ ...plain, address: path });
    expect(await namesOf(place, "")).toEqual([]);
    expect(readdirSync(join(path, "objects")).sort()).toEqual([
      ".def.0123456789ab.tmp",
      ".nfs000001",
    ]);
  });
});

describe("an address", () => {
  it.each([
    ["s3://bucket", { bucket: "bucket", prefix: "" }],
    ["s3://bucket/", { bucket: "bucket", prefix: "" }],
    ["s3://my.bucket-1/a//b/", { bucket: "my.bucket-1", prefix: "a/b/" }],
    ["/mnt/backups", null],
    ["./backups", null],
    ["C:/backups", null],
  ])("%s", (address, place) => {
    expect(s3Place(address)).toEqual(place);
  });

  it.each(["s3://", "s3:///x", "s3://Bucket/x", "http://host/x", "gs://bucket/x"])(
    "%s is none",
    (address) => {
      expect(() => s3Place(address)).toThrow(/expected .*s3:\/\/bucket\/prefix, got "/);
    },
  );
});
