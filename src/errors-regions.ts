/** Errors of several regions: a part of the table in errors-table.ts. */
export const regionKinds = {
  regions_off: {
    status: 409,
    title: "This service is of no region",
    hint: "Start it with --region and --region-peers.",
  },
  region_not_found: {
    status: 404,
    title: "There is no such region",
    hint: "GET /regions lists those that are followed.",
  },
  region_lost: {
    status: 409,
    title: "The region is not asked any more",
    hint: "Name its address in --region-peers first; nothing was deleted.",
  },
} as const;
