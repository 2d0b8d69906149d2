/** Asks for a key where the service wants one, or another one than this tab has. */
import { useRef, useState } from "preact/hooks";
import type { Refusal } from "./key-gate.ts";
import { useKey } from "./service.ts";
import { forgetKey, gate } from "./tab-key.ts";
import { useModal } from "./use-modal.ts";

/** Why a key is asked for, in words for whoever has to enter one. */
export function askingWords({ code, title, detail }: Refusal): string {
  return code === "key_required"
    ? "This service shows its boards to those with a key."
    : `${title}: ${detail}.`;
}

function KeyForm({ onClose }: { onClose: () => void }) {
  const field = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState("");
  const [isTrying, setTrying] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (isTrying) return;
    setTrying(true);
    setProblem("");
    const wrong = await gate.offer(field.current?.value ?? "");
    // With a good key there is no form any more.
    if (wrong === "") return;
    setTrying(false);
    setProblem(wrong);
    field.current?.select();
  };
  return (
    <form onSubmit={submit} aria-busy={isTrying}>
      <label for="key-field">Key</label>
      <input
        id="key-field"
        ref={field}
        type="password"
        autocomplete="off"
        spellcheck={false}
        required
        aria-invalid={problem !== ""}
        aria-describedby="key-problem key-hint"
      />
      <p id="key-problem" role="alert" class="problem">
        {problem}
      </p>
      <p id="key-hint" class="hint">
        A key with the scope <code>read</code>, or a token. It is kept in this tab until the tab is
        closed.
      </p>
      <div class="key-ends">
        <button type="submit" class="primary" aria-disabled={isTrying}>
          {isTrying ? "Trying…" : "Use this key"}
        </button>
        <button type="button" onClick={onClose}>
          Not now
        </button>
      </div>
    </form>
  );
}

function KeyDialog({ refusal, onClose }: { refusal: Refusal; onClose: () => void }) {
  const dialog = useModal(onClose, () => document.getElementById("key-field")?.focus());
  return (
    <dialog
      id="key-dialog"
      class="card"
      ref={dialog}
      aria-labelledby="key-title"
      aria-describedby="key-words"
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <div class="key-body">
        <h2 id="key-title">A key is needed</h2>
        <p id="key-words">{askingWords(refusal)}</p>
        <KeyForm onClose={onClose} />
      </div>
    </dialog>
  );
}

/**
 * Says that a key is needed, and asks for one in a dialog; nothing while none is. A board within
 * another page only says so: nobody should get used to entering keys into pages of others.
 */
export function KeyNeeded({ isEmbedded }: { isEmbedded: boolean }) {
  const { refusal } = useKey();
  // The refusal whose dialog was closed: another one asks anew.
  const [closed, setClosed] = useState<Refusal | null>(null);
  if (refusal === null) return null;
  const isOpen = !isEmbedded && closed !== refusal;
  return (
    <section id="key-needed" class="banner" aria-label="A key is needed">
      <p>{askingWords(refusal)}</p>
      {!isEmbedded && (
        <button type="button" id="enter-key" onClick={() => setClosed(null)}>
          Enter a key
        </button>
      )}
      {isOpen && <KeyDialog refusal={refusal} onClose={() => setClosed(refusal)} />}
    </section>
  );
}

/** Forgets the key, where this tab has one. */
export function ForgetKey() {
  const { key } = useKey();
  if (key === null) return null;
  return (
    <button type="button" id="forget-key" class="quiet" onClick={forgetKey}>
      Forget key
    </button>
  );
}
