/** Takes a question along: as a command for a terminal. */
import { useEffect, useRef, useState } from "preact/hooks";
import { copyText, shellWord } from "../clipboard.ts";

const saidMs = 2500;

/** The command that asks the service for `path`. */
export function curlOf(path: string): string {
  return `curl ${shellWord(new URL(path, location.origin).href)}`;
}

/** A button that copies the command, and shows it where copying isn't allowed. */
export function CopyCurl({ path }: { path: string }) {
  const [state, setState] = useState<"" | "copied" | "shown">("");
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const command = curlOf(path);
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
