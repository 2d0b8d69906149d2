/** The whole page: what the address asks for, or how to begin. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { EventType } from "../client/replies.ts";
import { BoardView } from "./board/board-view.tsx";
import { Controls } from "./board/controls.tsx";
import { Empty } from "./board/empty.tsx";
import { ItemPanel } from "./item-panel.tsx";
import { ForgetKey, KeyNeeded } from "./key-needed.tsx";
import { useEventTypes, useLiveState } from "./service.ts";
import { Shortcuts } from "./shortcuts.tsx";
import { StatusCorner } from "./status-corner.tsx";
import { applyTheme, nextTheme, rememberTheme, themeOf } from "./theme.ts";
import { TrendingView } from "./trending-view.tsx";
import { type Go, useView } from "./use-view.ts";
import {
  addressOf,
  type ShownView,
  type Theme,
  typesText,
  type View,
  viewToShow,
} from "./view-state.ts";

function Tabs({ view, go }: { view: ShownView; go: Go }) {
  const link = (page: View["page"], words: string) => (
    <a
      href={addressOf({ ...view, page, item: "" })}
      aria-current={view.page === page ? "page" : undefined}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        go({ page, item: "" });
      }}
    >
      {words}
    </a>
  );
  return (
    <nav aria-label="Views">
      {link("board", "Board")}
      {link("trending", "Trending")}
    </nav>
  );
}

const themeMarks: Record<Theme, string> = { auto: "◐", light: "☀", dark: "☾" };

function ThemeButton({ theme, onChoose }: { theme: Theme; onChoose: (theme: Theme) => void }) {
  const name = `Colours: ${theme === "auto" ? "as the system" : theme}`;
  return (
    <button
      type="button"
      class="icon"
      id="theme"
      aria-label={name}
      title={name}
      onClick={() => onChoose(nextTheme(theme))}
    >
      <span aria-hidden="true">{themeMarks[theme]}</span>
    </button>
  );
}

interface HeaderProps {
  view: ShownView | null;
  go: Go;
  theme: Theme;
  onTheme: (theme: Theme) => void;
}

function Header({ view, go, theme, onTheme }: HeaderProps) {
  return (
    <header>
      <h1>
        <img src="/web/icon.svg" alt="" width="28" height="28" />
        Rankstream
      </h1>
      {view !== null && <Tabs view={view} go={go} />}
      <div class="corner">
        <StatusCorner />
        <ForgetKey />
        <ThemeButton theme={theme} onChoose={onTheme} />
        <Shortcuts />
      </div>
    </header>
  );
}

interface ShownProps {
  view: ShownView;
  types: readonly EventType[];
  go: Go;
}

function Shown({ view, types, go }: ShownProps) {
  const opened = useRef<HTMLElement | null>(null);
  const open = (item: string) => {
    opened.current = document.activeElement as HTMLElement | null;
    go({ item });
  };
  const close = () => {
    go({ item: "" });
    opened.current?.focus();
  };
  return (
    <>
      {!view.isEmbedded && <Controls view={view} types={types} go={go} />}
      {view.page === "trending" ? (
        <TrendingView
          view={view}
          onOpen={open}
          onRange={(timeRange) => go({ timeRange, from: "", to: "" })}
        />
      ) : (
        <BoardView
          view={view}
          onOpen={open}
          onShowAll={() => go({ timeRange: "all", from: "", to: "" })}
          onNoFilters={() => go({ filters: [] })}
        />
      )}
      {view.item !== "" && (
        <ItemPanel
          eventType={view.eventTypes[0] as string}
          eventId={view.item}
          view={view}
          onClose={close}
          onOpen={(item) => go({ item })}
          onZoom={(from, to) => go({ timeRange: "", from, to })}
        />
      )}
    </>
  );
}

/** The colours in force, and how to choose others: here, and in the address. */
function useTheme(asked: Theme, go: Go): [Theme, (theme: Theme) => void] {
  const [, setChosen] = useState<Theme>("auto");
  const theme = themeOf(asked);
  applyTheme(theme);
  const choose = (next: Theme) => {
    rememberTheme(next);
    // The address may say the same as before.
    setChosen(next);
    go({ theme: next }, "replace");
  };
  return [theme, choose];
}

/** Where one comes from: the same board as a page of its own. */
function EmbeddedFooter({ view }: { view: ShownView | null }) {
  if (view === null) return null;
  return (
    <footer>
      <a href={addressOf({ ...view, isEmbedded: false })} target="_blank" rel="noopener">
        Rankstream
      </a>
    </footer>
  );
}

/** The service's other pages. */
function Footer() {
  return (
    <footer>
      <a href="/docs">API: every call, to try out</a>
      <a href="/web/demo/">How the counting works</a>
      <a href="/web/capacity/">What a load takes</a>
    </footer>
  );
}

/** The dashboard. */
export function App() {
  const [asked, go] = useView();
  const { types } = useEventTypes();
  const state = useLiveState();
  const [theme, onTheme] = useTheme(asked.theme, go);
  const shown = useRef<ShownView | null>(null);
  const view = viewToShow(asked, types ?? [], shown.current, Date.now());
  shown.current = view;
  const address = view === null ? "" : addressOf(view);
  useEffect(() => {
    if (shown.current !== null) go(shown.current, "replace");
  }, [address, go]);
  const title = view === null ? "" : typesText(view.eventTypes);
  useEffect(() => {
    document.title = title === "" ? "Rankstream" : `${title} · Rankstream`;
  }, [title]);
  const [isLoading, setLoading] = useState(false);
  const isEmpty = isLoading || (view === null && types !== null && state === "open");
  const { isEmbedded } = asked;
  return (
    <div class="page" data-state={state} data-embedded={isEmbedded ? "yes" : "no"}>
      {!isEmbedded && (
        <Header view={isEmpty ? null : view} go={go} theme={theme} onTheme={onTheme} />
      )}
      <main>
        {isEmbedded && <h1 class="unseen">Leaderboard</h1>}
        <KeyNeeded isEmbedded={isEmbedded} />
        {isEmpty && <Empty go={go} onLoading={setLoading} />}
        {view !== null && !isLoading && <Shown view={view} types={types ?? []} go={go} />}
      </main>
      {isEmbedded ? <EmbeddedFooter view={view} /> : <Footer />}
    </div>
  );
}
