/** Which stream is counted: one made here, a text, or a file. */
import { useId, useState } from "preact/hooks";
import { Slider } from "./fields.tsx";
import { FileSource } from "./file-source.ts";
import { formOf, parserFor, type TextForm } from "./parsers.ts";
import { type ItemSource, listStream, type MadeShape, wordsOf } from "./streams.ts";

export type StreamKind = MadeShape["kind"] | "text" | "file";

const kinds: readonly [StreamKind, string][] = [
  ["zipf", "Zipf"],
  ["uniform", "Uniform"],
  ["drift", "Drifting"],
  ["text", "Text"],
  ["file", "File"],
];

const explained: Readonly<Record<StreamKind, string>> = {
  zipf: "A few items are very frequent, most are rare: plays, visits, words.",
  uniform: "All items are equally frequent: the hardest stream for a heap, as nothing stands out.",
  drift: "As Zipf, but what is popular moves on from item to item.",
  text: "Paste any text; its words are counted one after another.",
  file: "Read piece by piece here in the browser; nothing is sent anywhere.",
};

export const sampleText = [
  "The river ran over the stones and the stones sang. The miller heard the river, the miller's",
  "daughter heard the stones, and the cat heard nothing but the mouse behind the sacks.",
  "When the rain came the river rose over the stones, and the stones fell silent; the miller",
  "closed the gate, the daughter closed the book, and the mouse came out and ate the cheese.",
].join("\n");

export const firstShape: Readonly<MadeShape> = { kind: "zipf", items: 1000, skew: 1, seed: 1 };

const itemsLog2 = { min: 4, max: 17 };

/** As what a file is read, and which of its fields or columns. */
export interface FileReading {
  form: TextForm;
  field: string;
}

export interface StreamFormProps {
  kind: StreamKind;
  onKind: (kind: StreamKind) => void;
  /** Settings of the streams made here. */
  made: MadeShape;
  onMade: (made: MadeShape) => void;
  /** A file dropped anywhere on the page. */
  file: File | undefined;
  onFile: (file: File) => void;
  reading: FileReading;
  onReading: (reading: FileReading) => void;
  /** A stream was chosen: how it is begun, and begun again. */
  onStream: (make: () => ItemSource) => void;
}

function MadeFields({ shape, onShape }: { shape: MadeShape; onShape: (s: MadeShape) => void }) {
  return (
    <>
      <Slider
        label="Distinct items"
        value={Math.round(Math.log2(shape.items) * 2)}
        min={itemsLog2.min * 2}
        max={itemsLog2.max * 2}
        text={shape.items.toLocaleString("en")}
        onValue={(value) => onShape({ ...shape, items: Math.round(2 ** (value / 2)) })}
      />
      {shape.kind !== "uniform" && (
        <Slider
          label="Skew"
          value={shape.skew}
          min={0.4}
          max={2}
          step={0.1}
          text={shape.skew.toFixed(1)}
          onValue={(skew) => onShape({ ...shape, skew })}
        />
      )}
      <p class="buttons">
        <button type="button" onClick={() => onShape({ ...shape, seed: (shape.seed % 999) + 1 })}>
          Another such stream
        </button>
        <span class="soft">seed {shape.seed}</span>
      </p>
    </>
  );
}

function TextFields({ onStream }: Pick<StreamFormProps, "onStream">) {
  const [text, setText] = useState(sampleText);
  const id = useId();
  return (
    <>
      <label for={id}>Text</label>
      <textarea
        id={id}
        rows={6}
        value={text}
        onInput={(event) => {
          const value = event.currentTarget.value;
          setText(value);
          onStream(() => listStream(wordsOf(value)));
        }}
      />
    </>
  );
}

interface FileFieldsProps {
  file: File | undefined;
  onFile: (file: File) => void;
  form: TextForm;
  field: string;
  onForm: (form: TextForm, field: string) => void;
}

function FileFields({ file, onFile, form, field, onForm }: FileFieldsProps) {
  const id = useId();
  const fieldLabel = form === "csv" ? "Column (empty: the first)" : "Field (empty: eventId)";
  return (
    <>
      <label for={`${id}f`}>File: choose one, or drop it anywhere on the page</label>
      <input
        id={`${id}f`}
        type="file"
        onChange={(event) => {
          const [chosen] = event.currentTarget.files ?? [];
          if (chosen !== undefined) onFile(chosen);
        }}
      />
      <p class="soft" id="file-name">
        {file === undefined
          ? "No file yet."
          : `${file.name}, ${file.size.toLocaleString("en")} bytes`}
      </p>
      <label for={`${id}r`}>Read as</label>
      <select
        id={`${id}r`}
        value={form}
        onChange={(event) => onForm(event.currentTarget.value as TextForm, field)}
      >
        <option value="words">words</option>
        <option value="ndjson">NDJSON: a field of each line</option>
        <option value="csv">CSV: a column, named in the first line</option>
      </select>
      {form !== "words" && (
        <>
          <label for={`${id}c`}>{fieldLabel}</label>
          <input
            id={`${id}c`}
            value={field}
            onChange={(event) => onForm(form, event.currentTarget.value.trim())}
          />
        </>
      )}
    </>
  );
}

/** Reads a file as chosen; the one before is read no further. */
export function readFile(file: File, form: TextForm, field: string, before: ItemSource) {
  if (before instanceof FileSource) before.close();
  return new FileSource(file, parserFor(form, field));
}

export function firstReading(file: File): FileReading {
  return { form: formOf(file.name), field: "" };
}

export function StreamForm(props: StreamFormProps) {
  const { kind, onKind, made, onMade, file, onFile, onStream, reading, onReading } = props;
  const isMade = kind === "zipf" || kind === "uniform" || kind === "drift";
  const choose = (next: StreamKind) => {
    onKind(next);
    if (next === "text") onStream(() => listStream(wordsOf(sampleText)));
    else if (next === "file") onStream(() => listStream([]));
    else onMade({ ...made, kind: next });
  };
  return (
    <>
      <fieldset class="kinds">
        <legend class="hidden">Kind of stream</legend>
        {kinds.map(([value, name]) => (
          <label key={value}>
            <input
              type="radio"
              name="kind"
              checked={kind === value}
              onChange={() => choose(value)}
            />
            <span>{name}</span>
          </label>
        ))}
      </fieldset>
      <p class="soft">{explained[kind]}</p>
      {isMade && <MadeFields shape={made} onShape={onMade} />}
      {kind === "text" && <TextFields onStream={onStream} />}
      {kind === "file" && (
        <FileFields
          file={file}
          onFile={onFile}
          form={reading.form}
          field={reading.field}
          onForm={(form, field) => onReading({ form, field })}
        />
      )}
    </>
  );
}
