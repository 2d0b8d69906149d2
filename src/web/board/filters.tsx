/** Which events and items count: chips of what is asked for, and a form for more. */
import { useState } from "preact/hooks";
import { Popover } from "../popover.tsx";
import type { Go } from "../use-view.ts";
import type { Filter, ShownView } from "../view-state.ts";

const kinds = [
  ["filter.", "Metadata is"],
  ["filterNot.", "Metadata is not"],
  ["userId", "User is"],
  ["sessionId", "Session is"],
  ["include", "Item is"],
  ["exclude", "Item is not"],
  ["prefix", "Item begins with"],
] as const;

/** The filter in words: `country is DE`. */
export function filterText({ name, value }: Filter): string {
  const kind = kinds.find(([kind]) =>
    kind.endsWith(".") ? name.startsWith(kind) : name === kind,
  );
  const [prefix, words] = kind ?? ["", name];
  if (!prefix.endsWith(".")) return `${words} ${value}`;
  return `${name.slice(prefix.length)} ${words.replace("Metadata ", "")} ${value}`;
}

interface FiltersProps {
  view: ShownView;
  go: Go;
}

function FilterForm({ view, go, close }: FiltersProps & { close: () => void }) {
  const [kind, setKind] = useState<string>("filter.");
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const hasKey = kind.endsWith(".");
  const add = (event: Event) => {
    event.preventDefault();
    const filter = { name: hasKey ? `${kind}${key.trim()}` : kind, value: value.trim() };
    if (filter.value === "" || (hasKey && key.trim() === "")) return;
    const isThere = view.filters.some(
      (each) => each.name === filter.name && each.value === filter.value,
    );
    // A board has one prefix: a further one takes its place.
    const kept = view.filters.filter(({ name }) => name !== "prefix" || kind !== "prefix");
    if (!isThere) go({ filters: [...kept, filter] });
    close();
  };
  return (
    <form class="filter-form" onSubmit={add}>
      <label>
        What
        <select
          data-first-focus
          value={kind}
          onChange={(event) => setKind(event.currentTarget.value)}
        >
          {kinds.map(([name, words]) => (
            <option key={name} value={name}>
              {words}
            </option>
          ))}
        </select>
      </label>
      {hasKey && (
        <label>
          Key
          <input
            required
            value={key}
            placeholder="country"
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>
      )}
      <label>
        Value
        <input required value={value} onInput={(event) => setValue(event.currentTarget.value)} />
      </label>
      <p class="hint">The same key again means any of its values.</p>
      <button type="submit" class="primary">
        Add filter
      </button>
    </form>
  );
}

/** The button that opens the form. */
export function FilterButton(props: FiltersProps) {
  const { length } = props.view.filters;
  const face = length === 0 ? "Filter" : `Filter · ${length}`;
  return (
    <Popover id="filters" name="Add a filter" face={face}>
      {(close) => <FilterForm {...props} close={close} />}
    </Popover>
  );
}

/** A chip for each filter, which takes it away; nothing without any. */
export function FilterChips({ view, go }: FiltersProps) {
  if (view.filters.length === 0) return null;
  const without = (filter: Filter) => view.filters.filter((each) => each !== filter);
  return (
    <ul id="chips" aria-label="Filters">
      {view.filters.map((filter) => (
        <li key={`${filter.name}=${filter.value}`} class="chip">
          <span>{filterText(filter)}</span>
          <button
            type="button"
            aria-label={`Remove the filter ${filterText(filter)}`}
            onClick={() => go({ filters: without(filter) })}
          >
            <span aria-hidden="true">×</span>
          </button>
        </li>
      ))}
      <li>
        <button type="button" class="quiet" onClick={() => go({ filters: [] })}>
          Remove all
        </button>
      </li>
    </ul>
  );
}
