// The compose files under docker/, as their readers see them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { root } from "../support/service.ts";

export const composeNames = Object.freeze([
  "compose.yaml",
  "compose.growth.yaml",
  "compose.scale.yaml",
  "compose.lake.yaml",
]);

export interface ComposeService {
  image: string;
  command?: string[];
  environment?: Record<string, string>;
  secrets?: string[];
  volumes?: string[];
  ports?: string[];
  networks?: string[];
  network_mode?: string;
  build?: { context: string; dockerfile: string };
  healthcheck?: { test: string[] };
  depends_on?: string[] | Record<string, unknown>;
  [option: string]: unknown;
}

export interface ComposeFile {
  services: Record<string, ComposeService>;
  networks?: Record<string, { internal?: boolean } | null>;
  volumes?: Record<string, unknown>;
  secrets?: Record<string, { file: string }>;
}

export function readDocker(path: string): string {
  return readFileSync(join(root, "docker", path), "utf8");
}

/** The file with its anchors and merges resolved. */
export function readCompose(name: string): ComposeFile {
  return parse(readDocker(name), { merge: true });
}
