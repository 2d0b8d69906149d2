// Whom a request is charged to.
import { expect, it } from "vitest";
import { isKeyId } from "../../src/access/credential.ts";
import { accountable, addressKey, subjectOf } from "../../src/limits/subject.ts";
import { everybody } from "../../src/model-access.ts";

it.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::6", "2001:db8:1:2::/64"],
  ["2001:DB8::6", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["unknown", "unknown"],
  ["x".repeat(500), "x".repeat(64)],
])("the address %s is %s", (address, key) => {
  expect(addressKey(address)).toBe(key);
});

it("is the key, the address where nobody has one, or the node that asks for another", () => {
  const address = () => "192.0.2.7";
  const node = { ...everybody, id: "node" };
  const caller = { ...everybody, id: "node/shop", via: node };
  expect(subjectOf(everybody, address)).toBe("address 192.0.2.7");
  expect(subjectOf(node, address)).toBe("key node");
  // A key of that name would have no limits of its own.
  expect(isKeyId(everybody.id)).toBe(false);
  expect(accountable(caller)).toBe(node);
  expect(accountable(node)).toBe(node);
});
