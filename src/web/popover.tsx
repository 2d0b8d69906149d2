/** A button with a panel that opens below it. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

interface PopoverProps {
  id: string;
  /** What the button says. */
  face: ComponentChildren;
  /** What the panel is called, and the button where its face is no name by itself. */
  name: string;
  /** To which edge of the button the panel keeps. */
  align?: "start" | "end";
  children: (close: () => void) => ComponentChildren;
}

/** Where the focus goes first: what asks for it, else the first that takes it. */
function focusFirst(panel: HTMLElement): void {
  const wanted = panel.querySelector<HTMLElement>("[data-first-focus]");
  (wanted ?? panel.querySelector<HTMLElement>("button, input, select, a"))?.focus();
}

/** Room between a panel and the window's edges, px. */
const edgePx = 8;

/** Moves a panel that would lie beside the window into it. */
function keepInSight(panel: HTMLElement): void {
  const { left, right } = panel.getBoundingClientRect();
  const over = right - (document.documentElement.clientWidth - edgePx);
  const by = Math.max(edgePx - left, Math.min(0, -over));
  if (by !== 0) panel.style.translate = `${by}px`;
}

/** Closes by Escape, by its button, and when anything outside is pressed or focused. */
export function Popover({ id, face, name, align = "start", children }: PopoverProps) {
  const [isOpen, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const close = () => {
    button.current?.focus();
    setOpen(false);
  };
  // Before the next key comes: what is typed goes into the panel.
  useLayoutEffect(() => {
    if (!isOpen) return;
    if (panel.current !== null) {
      keepInSight(panel.current);
      focusFirst(panel.current);
    }
    const leave = (event: Event) => {
      if (!box.current?.contains(event.target as Node)) setOpen(false);
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      close();
    };
    const element = box.current;
    element?.addEventListener("keydown", onKey);
    document.addEventListener("pointerdown", leave);
    document.addEventListener("focusin", leave);
    return () => {
      element?.removeEventListener("keydown", onKey);
      document.removeEventListener("pointerdown", leave);
      document.removeEventListener("focusin", leave);
    };
  }, [isOpen]);
  return (
    <div class="popover" data-align={align} ref={box}>
      <button
        type="button"
        id={id}
        ref={button}
        class="opens"
        aria-expanded={isOpen}
        aria-haspopup="dialog"
        aria-controls={isOpen ? `${id}-panel` : undefined}
        onClick={() => setOpen(!isOpen)}
      >
        {face}
      </button>
      {isOpen && (
        <div class="panel" id={`${id}-panel`} role="dialog" aria-label={name} ref={panel}>
          {children(close)}
        </div>
      )}
    </div>
  );
}
