/** What keys do, and the page that says so. */
import { useEffect, useRef, useState } from "preact/hooks";

const storageKey = "rankstream-shortcuts";

/** Keys that do something wherever the focus is, but in a field. */
const shortcuts: readonly (readonly [key: string, words: string, button?: string])[] = [
  ["/", "Search event types", "event-type"],
  ["r", "Choose the time range", "time-range"],
  ["[", "The period before", "step-back"],
  ["]", "The period after", "step-forward"],
  ["f", "Add a filter", "filters"],
  ["c", "Compare with the period before", "compare"],
  ["s", "Share: copy and download", "share"],
  ["?", "Show these keys"],
];
const further: readonly (readonly [key: string, words: string])[] = [
  ["↑ ↓", "From row to row; also Home, End, Page up and Page down"],
  ["Enter", "Open the row's item"],
  ["Esc", "Close what is open"],
];

function areOn(): boolean {
  try {
    return localStorage.getItem(storageKey) !== "off";
  } catch {
    return true;
  }
}

function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, select, textarea");
}

function Keys({ isOn, setOn }: { isOn: boolean; setOn: (isOn: boolean) => void }) {
  return (
    <>
      <h2 id="keys-title">Keyboard shortcuts</h2>
      <dl class="keys">
        {[...shortcuts, ...further].map(([key, words]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
      <div class="keys-end">
        <form method="dialog">
          <button type="submit">Close</button>
        </form>
        <label class="tick">
          <input
            type="checkbox"
            checked={isOn}
            onChange={(event) => setOn(event.currentTarget.checked)}
          />
          Single-key shortcuts
        </label>
      </div>
    </>
  );
}

/** The button that shows the keys; hears them, too. */
export function Shortcuts() {
  const dialog = useRef<HTMLDialogElement>(null);
  const [isOn, setOn] = useState(areOn);
  const choose = (on: boolean) => {
    setOn(on);
    try {
      localStorage.setItem(storageKey, on ? "on" : "off");
    } catch {
      // It holds until the page is left, then.
    }
  };
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isField(event.target)) return;
      const found = isOn ? shortcuts.find(([key]) => key === event.key) : undefined;
      if (found === undefined || dialog.current?.open || event.defaultPrevented) return;
      event.preventDefault();
      if (found[2] === undefined) dialog.current?.showModal();
      else document.getElementById(found[2])?.click();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [isOn]);
  return (
    <>
      <button
        type="button"
        class="icon"
        id="keys"
        aria-label="Keyboard shortcuts"
        title="Keyboard shortcuts"
        onClick={() => dialog.current?.showModal()}
      >
        <span aria-hidden="true">?</span>
      </button>
      <dialog ref={dialog} class="card" aria-labelledby="keys-title">
        <Keys isOn={isOn} setOn={choose} />
      </dialog>
    </>
  );
}
