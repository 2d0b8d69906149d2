/** What is chosen to be shown. */
import type { EventType } from "../../client/replies.ts";
import type { Go } from "../use-view.ts";
import { lastSeenMs, type ShownView } from "../view-state.ts";
import { timeRanges } from "../words.ts";

const rowChoices = ["5", "10", "20", "50", "100", "1000"];
/** Types listed to choose from: the newest ones. */
const typesMax = 500;

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
    <label>
      {label}{" "}
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

/** The form above the board. */
export function Controls({ view, types, go }: ControlsProps) {
  const newest = [...types].sort((a, b) => lastSeenMs(b) - lastSeenMs(a)).slice(0, typesMax);
  const names = newest.map(({ name }) => name).sort();
  return (
    <form id="controls" onSubmit={(event) => event.preventDefault()}>
      <Choice
        id="event-type"
        label="Event type"
        choices={names.map((name) => [name, name])}
        chosen={view.eventTypes.join(",")}
        onChoose={(name) => go({ eventTypes: name.split(",") })}
      />
      <Choice
        id="time-range"
        label="Time range"
        choices={timeRanges}
        chosen={view.timeRange}
        onChoose={(timeRange) => go({ timeRange, from: "", to: "" })}
      />
      <Choice
        id="k"
        label="Rows"
        choices={rowChoices.map((k) => [k, k])}
        chosen={view.k}
        onChoose={(k) => go({ k })}
      />
    </form>
  );
}
