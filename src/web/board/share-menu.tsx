/** The board elsewhere: as an address, a command, a table, a document, or within a page. */
import { useState } from "preact/hooks";
import { copyText } from "../clipboard.ts";
import { Popover } from "../popover.tsx";
import { useKey } from "../service.ts";
import { gate } from "../tab-key.ts";
import { addressOf, type ShownView } from "../view-state.ts";
import { answerAddress, curlOf, embedOf } from "./elsewhere.ts";

const csvName = "leaderboard.csv";

async function answer(address: string): Promise<string> {
  const response = await gate.fetch(address);
  const text = await response.text();
  if (!response.ok) throw new Error(`the service answered with status ${response.status}`);
  return text;
}

async function jsonOf(view: ShownView): Promise<string> {
  const text = await answer(answerAddress(view, location.origin));
  return `${JSON.stringify(JSON.parse(text), null, 2)}\n`;
}

/** Saves a text as a file: a link can't send the key. */
function save(text: string, name: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

function Choices({ view }: { view: ShownView }) {
  const [said, say] = useState("");
  const { key } = useKey();
  const { origin } = location;
  const csv = answerAddress(view, origin, "csv");
  const choices: [words: string, make: () => string | Promise<string>][] = [
    ["Copy link", () => `${origin}/${addressOf(view)}`],
    ["Copy as curl", () => curlOf(view, origin, key !== null)],
    ["Copy as CSV", () => answer(csv)],
    ["Copy as JSON", () => jsonOf(view)],
    ["Copy embed code", () => embedOf(view, origin)],
  ];
  const copy = async (words: string, make: () => string | Promise<string>) => {
    try {
      await copyText(await make());
      say(`${words.replace("Copy", "Copied")}.`);
    } catch (error) {
      say(`Could not copy: ${(error as Error).message}.`);
    }
  };
  const download = async () => {
    try {
      save(await answer(csv), csvName);
    } catch (error) {
      say(`Could not download: ${(error as Error).message}.`);
    }
  };
  return (
    <>
      <ul class="menu">
        {choices.map(([words, make]) => (
          <li key={words}>
            <button type="button" onClick={() => copy(words, make)}>
              {words}
            </button>
          </li>
        ))}
        <li>
          {key === null ? (
            <a class="button" href={csv} download={csvName}>
              Download CSV
            </a>
          ) : (
            <button type="button" onClick={download}>
              Download CSV
            </button>
          )}
        </li>
      </ul>
      <p role="status" class="hint">
        {said}
      </p>
    </>
  );
}

/** A button that opens the ways to take the board elsewhere. */
export function ShareMenu({ view }: { view: ShownView }) {
  return (
    <Popover id="share" name="Share" face="Share" align="end">
      {() => <Choices view={view} />}
    </Popover>
  );
}
