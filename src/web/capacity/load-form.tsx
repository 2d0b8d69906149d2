/** The fields of a load; an empty one has the default that is shown in it. */
import { type Load, type LoadField, type LoadName, loadFields } from "../../capacity/load.ts";

export interface LoadFormProps {
  texts: Readonly<Record<string, string>>;
  /** As worked out; null while something can't be used. */
  load: Load | null;
  onText: (name: LoadName, text: string) => void;
}

const groups: readonly { title: string; first: LoadName }[] = [
  { title: "Events", first: "eventsPerSecond" },
  { title: "Items", first: "eventTypes" },
  { title: "Kept", first: "retentionDays" },
  { title: "Asked", first: "queriesPerSecond" },
  { title: "Machines and prices", first: "diskTibMax" },
];

function fieldsOf(index: number): readonly LoadField[] {
  const start = (at: number) => loadFields.findIndex(({ name }) => name === groups[at]?.first);
  const end = index + 1 < groups.length ? start(index + 1) : loadFields.length;
  return loadFields.slice(start(index), end);
}

interface FieldProps extends Omit<LoadFormProps, "texts"> {
  field: LoadField;
  text: string | undefined;
}

function Field({ field, text, load, onText }: FieldProps) {
  const { name, label, unit, choices, defaultText } = field;
  const id = `load-${name}`;
  if (choices !== undefined) {
    return (
      <p class="field">
        <label for={id}>{label}</label>
        <select
          id={id}
          value={text ?? defaultText}
          onChange={(event) => onText(name, event.currentTarget.value)}
        >
          {choices.map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </select>
        <span class="soft">{unit}</span>
      </p>
    );
  }
  return (
    <p class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        inputMode="decimal"
        value={text ?? ""}
        placeholder={defaultText ?? String(load?.[name] ?? "")}
        onInput={(event) => onText(name, event.currentTarget.value.trim())}
      />
      <span class="soft">{unit}</span>
    </p>
  );
}

export function LoadForm({ texts, load, onText }: LoadFormProps) {
  return (
    <form class="card" aria-label="The load" onSubmit={(event) => event.preventDefault()}>
      {groups.map(({ title, first }, i) => (
        <fieldset key={first}>
          <legend>{title}</legend>
          {fieldsOf(i).map((field) => (
            <Field
              key={field.name}
              field={field}
              text={texts[field.name]}
              load={load}
              onText={onText}
            />
          ))}
        </fieldset>
      ))}
    </form>
  );
}
