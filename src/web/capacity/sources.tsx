/** The figures that everything is worked out from, and where each was measured. */
import { measured } from "../../capacity/measured.ts";

export function Sources() {
  return (
    <details class="card">
      <summary>Which figures this rests on, and where they were measured</summary>
      <dl>
        {Object.entries(measured).map(([name, { value, unit, what, from }]) => (
          <div key={name}>
            <dt>
              {what}: {value.toLocaleString("en", { maximumFractionDigits: 3 })} {unit}
            </dt>
            <dd>{from}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
