/** Messages between the main thread and the thread that writes backups. */
import type { LogPosition } from "../log/log.ts";
import type { KeepRules } from "../model-backup.ts";
import type { BaseCut } from "../store/base-cuts.ts";
import type { ErasedUsers } from "../store/erase-questions.ts";
import type { ThrownError } from "../store/protocol.ts";
import type { BaseLogEnd } from "./base-writer.ts";
import type { ArchiveState } from "./log-archive.ts";
import type { BaseManifest } from "./manifest.ts";
import type { DestinationSettings } from "./open-destination.ts";
import type { ListedBase } from "./restore-plan.ts";
import type { Pruned } from "./retention.ts";

export interface BackupThreadData {
  destination: DestinationSettings;
  /** The data folder. */
  folder: string;
  version: string;
  log: Pick<BaseManifest["log"], "kind" | "id" | "partitionCount">;
  keep: KeepRules;
  /** Any moment since this long ago is to be restorable. */
  logMs: number;
}

/** A base that is to be read from the store. */
export interface BaseRequest {
  id: string;
  createdAt: number;
  cut: BaseCut;
  storeDescriptor: number;
  walDescriptor: number | null;
  /** Segment of the embedded log from which on the base needs it. */
  segment: number | null;
}

/** Calls the main thread makes, by name: argument and result. */
export interface BackupCalls {
  /** Opens or makes the repository. Returns when its newest base was taken, epoch ms. */
  open: [null, { newestAt: number | null; archive: ArchiveState | null }];
  /** Copies the log to `end`; everything received up to `through` lies before it. */
  copyLog: [{ end: LogPosition; through: number }, ArchiveState];
  /** The steps of a base (BaseWriter), in this order; `endBase` in the end, come what may. */
  readBase: [BaseRequest, null];
  sendBase: [null, { damaged: number }];
  finishBase: [BaseLogEnd, BaseManifest];
  endBase: [null, null];
  writeErasures: [ErasedUsers, null];
  prune: [null, Pruned];
  list: [null, ListedBase[]];
  close: [null, null];
}
export type BackupCallName = keyof BackupCalls;

export type ToBackupThread =
  | { kind: "call"; id: number; name: BackupCallName; argument: unknown }
  /** Ends the base under way. */
  | { kind: "cancel" };

export type FromBackupThread =
  | { kind: "progress"; share: number }
  | { kind: "result"; id: number; value: unknown }
  | { kind: "error"; id: number; error: ThrownError };
