/** Chooses the event types: one, or several that are summed. */
import { useState } from "preact/hooks";
import type { EventType } from "../../client/replies.ts";
import { Popover } from "../popover.tsx";
import { lastSeenMs, typesText } from "../view-state.ts";
import { countText } from "../words.ts";

/** Types listed at once: the newest of those that match. */
const listedMax = 100;

interface TypePickerProps {
  types: readonly EventType[];
  chosen: readonly string[];
  onChoose: (eventTypes: readonly string[]) => void;
}

/** The types whose name holds the text: chosen ones first, then the newest. */
function matching(types: readonly EventType[], text: string, chosen: readonly string[]) {
  const wanted = text.trim().toLowerCase();
  const rank = (type: EventType) => (chosen.includes(type.name) ? Infinity : lastSeenMs(type));
  return types
    .filter(({ name }) => name.toLowerCase().includes(wanted))
    .sort((a, b) => rank(b) - rank(a) || (a.name < b.name ? -1 : 1));
}

function Choices({ types, chosen, onChoose, close }: TypePickerProps & { close: () => void }) {
  const [text, setText] = useState("");
  // Sorted as they were when this opened, or a tick would move under the pointer.
  const [first] = useState(chosen);
  const found = matching(types, text, first);
  const pick = (name: string | undefined) => {
    if (name === undefined) return;
    onChoose([name]);
    close();
  };
  const toggle = (name: string) => {
    const others = chosen.filter((each) => each !== name);
    const next = others.length < chosen.length ? others : [...chosen, name];
    if (next.length > 0) onChoose(next);
  };
  return (
    <>
      <input
        type="search"
        data-first-focus
        aria-label="Search event types"
        placeholder="Search"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Enter" && pick(found[0]?.name)}
      />
      <p class="hint">Choose one, or tick several to sum them.</p>
      <ul class="choices">
        {found.slice(0, listedMax).map(({ name, total }) => (
          <li key={name}>
            <input
              type="checkbox"
              aria-label={`Sum with ${name}`}
              checked={chosen.includes(name)}
              onChange={() => toggle(name)}
            />
            <button
              type="button"
              aria-current={chosen.includes(name) ? "true" : undefined}
              onClick={() => pick(name)}
            >
              <span>{name}</span> <span class="figure">{countText(total)}</span>
            </button>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p class="hint">No event type is called so.</p>}
      {found.length > listedMax && (
        <p class="hint">{`${countText(found.length - listedMax)} more: search for them.`}</p>
      )}
    </>
  );
}

/** A button that says which types are shown and opens the choice. */
export function TypePicker(props: TypePickerProps) {
  const face = (
    <>
      <span class="face-name">Event type</span>
      <span class="face-value">{typesText(props.chosen)}</span>
    </>
  );
  return (
    <Popover id="event-type" name="Event types" face={face}>
      {(close) => <Choices {...props} close={close} />}
    </Popover>
  );
}
