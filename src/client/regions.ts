/** What questions and answers say of regions, where there are several. */

/** Of which regions an answer shall be. */
export interface RegionQuery {
  /** Default all. */
  region?: string | readonly string[];
}

/** A region's part in an answer. */
export interface RegionShare {
  region: string;
  /** Its top items up to here are in; null: nothing of it. */
  asOf: string | null;
  /** All it counted up to here is in; null: nothing of it. */
  completeThrough: string | null;
  /** It is not followed any more. */
  isLost?: boolean;
}
