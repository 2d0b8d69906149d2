/** Chooses the time range: a name, two moments of a calendar, and the zone they are of. */
import { useState } from "preact/hooks";
import { Popover } from "../popover.tsx";
import {
  calendarRanges,
  endsOf,
  rangeText,
  rollingRanges,
  stepped,
  viewOfEnds,
} from "../ranges.ts";
import type { Go } from "../use-view.ts";
import { ownTimeZone, type ShownView, zoneOf } from "../view-state.ts";
import { fieldOf, instantOfField, timeZones } from "../zoned-time.ts";

interface RangeProps {
  view: ShownView;
  go: Go;
}

interface NamedProps {
  title: string;
  ranges: typeof rollingRanges;
  chosen: string;
  onChoose: (timeRange: string) => void;
}

function Named({ title, ranges, chosen, onChoose }: NamedProps) {
  return (
    <fieldset>
      <legend>{title}</legend>
      {ranges.map(([value, words]) => (
        <button
          key={value}
          type="button"
          aria-current={value === chosen ? "true" : undefined}
          data-first-focus={value === chosen ? "" : undefined}
          onClick={() => onChoose(value)}
        >
          {words}
        </button>
      ))}
    </fieldset>
  );
}

interface FieldProps {
  label: string;
  value: string;
  problem: string;
  onInput: (value: string) => void;
}

function MomentField({ label, value, problem, onInput }: FieldProps) {
  return (
    <label>
      {label}
      <input
        type="datetime-local"
        value={value}
        aria-invalid={problem !== ""}
        aria-describedby={problem === "" ? undefined : "range-problem"}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </label>
  );
}

/** Why these two fields name no range; "" where they do. */
function problemOf(from: number | null, to: number | null): string {
  if (from === null || to === null) return "Give both: the day and the time.";
  return from < to ? "" : "The end must come after the start.";
}

function Moments({ view, go, close }: RangeProps & { close: () => void }) {
  const zone = zoneOf(view);
  const [ends] = useState(() => {
    const now = Date.now();
    return endsOf(view, now, zone) ?? { from: now - 86_400_000, to: now };
  });
  const [from, setFrom] = useState(() => fieldOf(ends.from, zone));
  const [to, setTo] = useState(() => fieldOf(ends.to, zone));
  const [problem, setProblem] = useState("");
  const apply = (event: Event) => {
    event.preventDefault();
    const [start, end] = [instantOfField(from, zone), instantOfField(to, zone)];
    const found = problemOf(start, end);
    setProblem(found);
    if (found !== "" || start === null || end === null) return;
    go({ ...viewOfEnds({ from: start, to: end }), timeZone: zone });
    close();
  };
  return (
    <form onSubmit={apply} noValidate>
      <h2>From – to</h2>
      <MomentField label="From" value={from} problem={problem} onInput={setFrom} />
      <MomentField label="To (not included)" value={to} problem={problem} onInput={setTo} />
      <p id="range-problem" role="alert" class="problem">
        {problem}
      </p>
      <button type="submit" class="primary">
        Show this range
      </button>
    </form>
  );
}

function ZoneChoice({ view, go }: RangeProps) {
  const zone = zoneOf(view);
  const own = ownTimeZone();
  const zones = timeZones(own);
  return (
    <label>
      Time zone
      <select value={zone} onChange={(event) => go({ timeZone: event.currentTarget.value })}>
        {!zones.includes(zone) && <option value={zone}>{zone}</option>}
        {zones.map((name) => (
          <option key={name} value={name}>
            {name === own ? `${name} (yours)` : name}
          </option>
        ))}
      </select>
    </label>
  );
}

function Choices({ view, go, close }: RangeProps & { close: () => void }) {
  const choose = (timeRange: string) => {
    go({ timeRange, from: "", to: "" });
    close();
  };
  const chosen = view.timeRange;
  return (
    <div class="range-choices">
      <Named title="Until now" ranges={rollingRanges} chosen={chosen} onChoose={choose} />
      <Named title="Calendar" ranges={calendarRanges} chosen={chosen} onChoose={choose} />
      <div class="moments">
        <Moments key={zoneOf(view)} view={view} go={go} close={close} />
        <ZoneChoice view={view} go={go} />
      </div>
    </div>
  );
}

function Step({ view, go, step }: RangeProps & { step: -1 | 1 }) {
  const zone = zoneOf(view);
  const now = Date.now();
  const ends = endsOf(view, now, zone);
  const isOver = step > 0 && ends !== null && ends.to >= now;
  const words = step < 0 ? "The period before" : "The period after";
  const take = () => {
    const current = endsOf(view, Date.now(), zone);
    if (current !== null) go({ ...viewOfEnds(stepped(current, step, zone)), timeZone: zone });
  };
  return (
    <button
      type="button"
      class="step"
      id={step < 0 ? "step-back" : "step-forward"}
      aria-label={words}
      title={words}
      disabled={ends === null || isOver}
      onClick={take}
    >
      <span aria-hidden="true">{step < 0 ? "‹" : "›"}</span>
    </button>
  );
}

/** Steps back and forward, and between them a button that opens the choice. */
export function RangePicker({ view, go }: RangeProps) {
  const face = (
    <>
      <span class="face-name">Time range</span>
      <span class="face-value">{rangeText(view, zoneOf(view))}</span>
    </>
  );
  return (
    <div class="stepped">
      <Step view={view} go={go} step={-1} />
      <Popover id="time-range" name="Time range" face={face}>
        {(close) => <Choices view={view} go={go} close={close} />}
      </Popover>
      <Step view={view} go={go} step={1} />
    </div>
  );
}
