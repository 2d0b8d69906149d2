/** The view, kept in the address: going somewhere is a step of the browser's history. */
import { useCallback, useEffect, useState } from "preact/hooks";
import { addressOf, type View, viewOfAddress } from "./view-state.ts";

/** Goes to the view with these changes; `replace` leaves no step to go back by. */
export type Go = (changes: Partial<View>, how?: "push" | "replace") => void;

/** What the address asks for now, and how to ask for something else. */
export function useView(): [View, Go] {
  const [search, setSearch] = useState(location.search);
  useEffect(() => {
    const listener = () => setSearch(location.search);
    addEventListener("popstate", listener);
    return () => removeEventListener("popstate", listener);
  }, []);
  const go = useCallback<Go>((changes, how = "push") => {
    const address = addressOf({ ...viewOfAddress(location.search), ...changes });
    if (address === location.search) return;
    if (how === "push") history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    setSearch(location.search);
  }, []);
  return [viewOfAddress(search), go];
}
