/** The whole page: what the address asks for, or how to begin. */
import { useEffect, useRef } from "preact/hooks";
import { BoardView } from "./board/board-view.tsx";
import { Controls } from "./board/controls.tsx";
import { Empty } from "./board/empty.tsx";
import { ItemPanel } from "./item-panel.tsx";
import { useEventTypes, useLiveState } from "./service.ts";
import { StatusCorner } from "./status-corner.tsx";
import { TrendingView } from "./trending-view.tsx";
import { type Go, useView } from "./use-view.ts";
import { addressOf, type ShownView, type View, viewToShow } from "./view-state.ts";

function Tabs({ view, go }: { view: ShownView; go: Go }) {
  const link = (page: View["page"], words: string) => (
    <a
      href={addressOf({ ...view, page, item: "" })}
      aria-current={view.page === page ? "page" : undefined}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        go({ ...view, page, item: "" });
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

/** The dashboard. */
export function App() {
  const [asked, go] = useView();
  const { types } = useEventTypes();
  const state = useLiveState();
  const shown = useRef<ShownView | null>(null);
  const view = viewToShow(asked, types ?? [], shown.current, Date.now());
  shown.current = view;
  const address = view === null ? "" : addressOf(view);
  useEffect(() => {
    if (shown.current !== null) go(shown.current, "replace");
  }, [address, go]);
  useEffect(() => {
    document.title = `${view?.eventTypes.join(" + ") ?? ""} · Rankstream`.replace(/^ · /, "");
  }, [view?.eventTypes.join(" + ")]);
  return (
    <div class="page" data-state={state}>
      <header>
        <h1>
          <img src="/web/icon.svg" alt="" width="28" height="28" />
          Rankstream
        </h1>
        {view !== null && <Tabs view={view} go={go} />}
        <StatusCorner />
      </header>
      <main>
        {view === null && types !== null && state === "open" && <Empty />}
        {view !== null && <Shown view={view} types={types ?? []} go={go} />}
      </main>
    </div>
  );
}

interface ShownProps {
  view: ShownView;
  types: Parameters<typeof Controls>[0]["types"];
  go: Go;
}

function Shown({ view, types, go }: ShownProps) {
  return (
    <>
      <Controls view={view} types={types} go={go} />
      {view.page === "trending" ? (
        <TrendingView view={view} onOpen={(item) => go({ item })} />
      ) : (
        <BoardView
          view={view}
          onOpen={(item) => go({ item })}
          onShowAll={() => go({ timeRange: "all", from: "", to: "" })}
        />
      )}
      {view.item !== "" && (
        <ItemPanel
          eventType={view.eventTypes[0] as string}
          eventId={view.item}
          view={view}
          onClose={() => go({ item: "" })}
          onOpen={(item) => go({ item })}
          onZoom={(from, to) => go({ timeRange: "", from, to })}
        />
      )}
    </>
  );
}
