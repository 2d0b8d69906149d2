/** What is chosen to be shown. */
import type { EventType } from "../../client/replies.ts";
import { Popover } from "../popover.tsx";
import type { Go } from "../use-view.ts";
import type { ShownView } from "../view-state.ts";
import { FilterButton, FilterChips } from "./filters.tsx";
import { RangePicker } from "./range-picker.tsx";
import { ShareMenu } from "./share-menu.tsx";
import { TypePicker } from "./type-picker.tsx";

const rowChoices = ["5", "10", "20", "50", "100", "200", "500", "1000"];

interface ControlsProps {
  view: ShownView;
  types: readonly EventType[];
  go: Go;
}

interface ChoiceProps {
  id: string;
  label: string;
  choices: readonly (readonly [value: string, words: string])[];
  chosen: string;
  onChoose: (value: string) => void;
}

/** A list of choices, with the chosen one among them whatever it is. */
function Choice({ id, label, choices, chosen, onChoose }: ChoiceProps) {
  const isListed = choices.some(([value]) => value === chosen);
  const all = isListed ? choices : [[chosen, chosen] as const, ...choices];
  return (
    <label class="field">
      <span class="face-name">{label}</span>
      <select id={id} value={chosen} onChange={(event) => onChoose(event.currentTarget.value)}>
        {all.map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}

const modes = [
  ["", "Automatic: exact where needed"],
  ["approx", "Approximate, at once"],
  ["exact", "Exact, may take longer"],
] as const;
const counted = [
  ["", "Events"],
  ["users", "Distinct users"],
] as const;

/** How it is counted: seldom changed, so out of the way. */
function Options({ view, go }: Omit<ControlsProps, "types">) {
  const isPlain = view.mode === "" && view.by === "";
  const words = [view.by === "users" ? "users" : "", view.mode].filter((text) => text !== "");
  return (
    <Popover
      id="options"
      name="How to count"
      face={isPlain ? "Options" : `Options · ${words.join(", ")}`}
    >
      {() => (
        <div class="fields">
          <Choice
            id="by"
            label="Count"
            choices={counted}
            chosen={view.by === "events" ? "" : view.by}
            onChoose={(by) => go({ by })}
          />
          <Choice
            id="mode"
            label="Answer"
            choices={modes}
            chosen={view.mode === "auto" ? "" : view.mode}
            onChoose={(mode) => go({ mode })}
          />
          <p class="hint">Filters, users and comparisons are always answered exactly.</p>
        </div>
      )}
    </Popover>
  );
}

/** The row of choices above the board, and the filters in force below it. */
export function Controls({ view, types, go }: ControlsProps) {
  const isBoard = view.page === "board";
  return (
    <div id="controls">
      <fieldset class="choices-row">
        <legend class="unseen">What is shown</legend>
        <TypePicker
          types={types}
          chosen={view.eventTypes}
          onChoose={(eventTypes) => go({ eventTypes })}
        />
        <RangePicker view={view} go={go} />
        <Choice
          id="k"
          label="Rows"
          choices={rowChoices.map((k) => [k, k])}
          chosen={view.k}
          onChoose={(k) => go({ k })}
        />
        {isBoard && (
          <button
            type="button"
            id="compare"
            aria-pressed={view.isCompared}
            title="Each row against the period before"
            onClick={() => go({ isCompared: !view.isCompared })}
          >
            Compare
          </button>
        )}
        <FilterButton view={view} go={go} />
        {isBoard && <Options view={view} go={go} />}
        {isBoard && <ShareMenu view={view} />}
      </fieldset>
      <FilterChips view={view} go={go} />
    </div>
  );
}
