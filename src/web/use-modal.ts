/** A dialog over the page, open while it is there. */
import { useLayoutEffect, useRef } from "preact/hooks";

/**
 * The ref of a `<dialog>` that is opened as modal; the browser keeps the focus in it. `onClose` is
 * called for presses beside it. `focus` may choose where the focus begins.
 */
export function useModal(onClose: () => void, focus?: () => void) {
  const dialog = useRef<HTMLDialogElement>(null);
  const closing = useRef(onClose);
  closing.current = onClose;
  useLayoutEffect(() => {
    const element = dialog.current!;
    element.showModal();
    focus?.();
    // What lies around the dialog is of the dialog itself.
    const onPointer = ({ target }: Event) => {
      if (target === element) closing.current();
    };
    element.addEventListener("pointerdown", onPointer);
    // Closed before it is gone, or the focus would not go back to where it was.
    return () => element.close();
  }, []);
  return dialog;
}
