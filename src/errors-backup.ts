/** Errors of backups and of what is restored from them: a part of the table in errors-table.ts. */
export const backupKinds = {
  backups_off: {
    status: 409,
    title: "No place for backups is named",
    hint: "Start the service with --backup-to, a folder or s3://bucket/prefix.",
  },
  too_many_backups: {
    status: 503,
    title: "Backups are being taken",
    hint: "Retry after the stated seconds; GET /admin/backups shows what runs.",
  },
  backup_not_found: {
    status: 404,
    title: "There is no such backup",
    hint: "GET /admin/backups and rankstream backups list those there are.",
  },
  backup_unreachable: {
    status: 503,
    title: "The place for backups can not be read or written",
    hint: "Check that it is there, the rights, the room, and the credentials.",
  },
  backup_mismatch: {
    status: 409,
    title: "The place for backups holds something else",
    hint: "Name another folder or prefix: each service has its own, and none was used before.",
  },
  backup_damaged: {
    status: 500,
    title: "A part of the backup is damaged or missing",
    hint: "Use another backup; rankstream verify says which are whole.",
  },
  backup_cancelled: {
    status: 409,
    title: "The backup was stopped",
    hint: "Nothing of it is kept; POST /admin/backups takes another.",
  },
  restore_impossible: {
    status: 409,
    title: "This moment can not be restored",
    hint: "Choose one that rankstream backups lists.",
  },
  data_folder_not_empty: {
    status: 409,
    title: "The folder to restore into is not empty",
    hint: "Name a folder that is empty or not there yet.",
  },
  data_folder_incomplete: {
    status: 500,
    title: "The data folder is being restored",
    hint: "Run rankstream restore again with the same flags: it goes on where it stopped.",
  },
} as const;
