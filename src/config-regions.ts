/** The options of several regions: what is wrong with them, and what they come to. */
import { quoted } from "./errors.ts";
import { isRegionName, regionBytesMax, regionPeersMax } from "./model-regions.ts";

interface RegionOptions {
  region: string;
  regionPeers: string;
  regionKey: string;
  regionCa: string;
}

/** Another region. */
export interface RegionPeer {
  name: string;
  /** Null: it is lost, and not asked any more. */
  address: string | null;
}

export interface NamedRegions {
  own: string;
  /** By name. */
  peers: RegionPeer[];
}

const lost = "lost";
const nameExpected = `expected a to z, 0 to 9 and inner hyphens, ${regionBytesMax} at most`;
const peerExpected = "expected name=https://host or name=lost, by comma";

/** The pairs of `name=address`; null of what is none. */
function pairsOf(regionPeers: string): ([name: string, address: string] | null)[] {
  if (regionPeers === "none") return [];
  return regionPeers.split(",").map((text) => {
    const at = text.indexOf("=");
    return at < 0 ? null : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  });
}

function isAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  const isPlain = [username, password, search, hash].every((part) => part === "");
  return isPlain && ["http:", "https:"].includes(protocol);
}

function peersProblem({ region, regionPeers }: RegionOptions): string | undefined {
  const pairs = pairsOf(regionPeers);
  const names = new Set([region]);
  if (pairs.length > regionPeersMax) {
    return `regionPeers: expected at most ${regionPeersMax}, got ${pairs.length}`;
  }
  for (const pair of pairs) {
    // What stands there may hold a password.
    if (pair === null) return `regionPeers: ${peerExpected}, got one without =`;
    const [name, address] = pair;
    if (!isRegionName(name)) return `regionPeers: ${nameExpected}, got ${quoted(name)}`;
    if (name === region) return `regionPeers: ${name} is this region's own name`;
    if (names.has(name)) return `regionPeers: ${name} is there twice`;
    if (address !== lost && !isAddress(address)) {
      return `regionPeers: ${name}: ${peerExpected}, without user, password and query`;
    }
    names.add(name);
  }
  return undefined;
}

/** What is wrong with the options: expected and got, no secret; undefined where nothing is. */
export function regionProblem(options: RegionOptions): string | undefined {
  const { region, regionPeers } = options;
  if (region === "none") {
    const isAlone = regionPeers === "none";
    return isAlone ? undefined : "regionPeers: expected --region, this region's own name, as well";
  }
  if (!isRegionName(region)) return `region: ${nameExpected}, got ${quoted(region)}`;
  return peersProblem(options);
}

/** The regions that options which were checked name; null: there is but one. */
export function regionsOf({
  region,
  regionPeers,
}: Pick<RegionOptions, "region" | "regionPeers">): NamedRegions | null {
  if (region === "none") return null;
  const peers = pairsOf(regionPeers).map((pair) => {
    const [name, address] = pair!;
    return { name, address: address === lost ? null : address };
  });
  return { own: region, peers: peers.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}
