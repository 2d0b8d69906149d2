// Preloaded into the service (NODE_OPTIONS=--import): in every thread the time of day is off by
// the milliseconds that stand in a file, which may change at any moment.
import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";

const path = process.env["CLOCK_SHIFT_FILE"];
const RealDate = Date;
const realNow = Date.now.bind(Date);
const lookMs = 5;
let shiftMs = 0;
let lookedAt = Number.NEGATIVE_INFINITY;

function now() {
  if (performance.now() - lookedAt >= lookMs) {
    lookedAt = performance.now();
    shiftMs = Number(readFileSync(path, "utf8"));
  }
  return realNow() + shiftMs;
}

globalThis.Date = class ShiftedDate extends RealDate {
  constructor(...values) {
    if (values.length === 0) super(now());
    else super(...values);
  }

  static now() {
    return now();
  }
};
