/** Takes a question along: as a command for a terminal. */
import { useEffect, useRef, useState } from "preact/hooks";
import { copyText, curlCommand } from "../clipboard.ts";
import { useKey } from "../service.ts";

const saidMs = 2500;

/** A button that copies the command, and shows it where copying isn't allowed. */
export function CopyCurl({ path }: { path: string }) {
  const [state, setState] = useState<"" | "copied" | "shown">("");
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const { key } = useKey();
  const command = curlCommand(new URL(path, location.origin).href, key !== null);
  const copy = async () => {
    try {
      await copyText(command);
      setState("copied");
      clearTimeout(timer.current);
      timer.current = setTimeout(() => setState(""), saidMs);
    } catch {
      setState("shown");
    }
  };
  return (
    <div class="copy">
      <button type="button" onClick={copy}>
        Copy as curl
      </button>
      <span role="status">{state === "copied" ? "Copied" : ""}</span>
      {state === "shown" && <pre>{command}</pre>}
    </div>
  );
}
