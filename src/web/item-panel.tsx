/** One item of a board: where it stands, its history, and who is next to it. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Item } from "../client/replies.ts";
import { CopyCurl } from "./panels/copy-curl.tsx";
import { ItemFacts, Neighbours } from "./panels/item-facts.tsx";
import { ItemPlots } from "./panels/item-plots.tsx";
import { useItem } from "./panels/item-questions.ts";
import type { Span, StepName } from "./panels/steps.ts";
import { rangeText } from "./ranges.ts";
import { useModal } from "./use-modal.ts";
import { rangeQueryOf, type ShownView, zoneOf } from "./view-state.ts";

interface ItemPanelProps {
  eventType: string;
  eventId: string;
  view: ShownView;
  onClose: () => void;
  /** Goes to another item. */
  onOpen: (eventId: string) => void;
  /** Goes to a part of the range: ISO 8601, `to` is exclusive. */
  onZoom: (from: string, to: string) => void;
}

function Name({ eventId, item }: { eventId: string; item: Item | null }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), [eventId]);
  const { label = eventId, url = "" } = item ?? {};
  return (
    <h2 id="item-name" ref={heading} tabIndex={-1} dir="auto">
      {label}
      {/^https?:/i.test(url) && (
        <a
          class="outward"
          href={url}
          rel="noreferrer"
          target="_blank"
          aria-label={`Open the page of ${label}`}
        >
          ↗
        </a>
      )}
    </h2>
  );
}

interface AboutProps {
  view: ShownView;
  eventType: string;
  eventId: string;
  isLabelled: boolean;
  onType: (eventType: string) => void;
}

/** Of which type and range all this is. */
function About({ view, eventType, eventId, isLabelled, onType }: AboutProps) {
  return (
    <p class="item-about">
      {isLabelled && <code dir="auto">{eventId}</code>}
      {view.eventTypes.length > 1 ? (
        <select
          aria-label="Event type of the item"
          value={eventType}
          onChange={(event) => onType(event.currentTarget.value)}
        >
          {view.eventTypes.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      ) : (
        <span>{eventType}</span>
      )}
      <span>{rangeText(view, zoneOf(view))}</span>
    </p>
  );
}

function Body(props: ItemPanelProps & { onType: (eventType: string) => void }) {
  const { eventType, eventId, view, onOpen, onZoom, onType } = props;
  const [step, setStep] = useState<StepName | "">("");
  const { item, plotted, ranked, before } = useItem({ eventType, eventId }, view, step);
  const timeZone = zoneOf(view);
  const own = item.value;
  const range = rangeQueryOf(view);
  useEffect(() => setStep(""), [JSON.stringify(range)]);
  const zoom = ({ from, to }: Span) =>
    onZoom(new Date(from).toISOString(), new Date(to).toISOString());
  const question = new URLSearchParams({ eventType, eventId, ...range });
  return (
    <>
      <Name eventId={eventId} item={own} />
      <About
        view={view}
        eventType={eventType}
        eventId={eventId}
        isLabelled={own?.label !== undefined}
        onType={onType}
      />
      {item.error !== null && (
        <p class="panel-problem" role="alert">
          {own === null ? "This item can't be shown: " : "What is shown may be old: "}
          {item.error.message}
        </p>
      )}
      {own === null && item.error === null && <p class="note">Counting …</p>}
      {own !== null && (
        <>
          <ItemFacts item={own} before={before} timeZone={timeZone} />
          {plotted === null && <p class="note plot-canvas">Counting step by step …</p>}
          {plotted !== null && (
            <ItemPlots
              item={plotted}
              ranked={ranked}
              before={before}
              timeZone={timeZone}
              step={step}
              onStep={setStep}
              onZoom={zoom}
            />
          )}
          <Neighbours item={own} onOpen={onOpen} />
        </>
      )}
      <CopyCurl path={`/items?${question}`} />
    </>
  );
}

/** A dialog beside the board, over all of it on a phone; the browser keeps the focus in it. */
export function ItemPanel(props: ItemPanelProps) {
  const { onClose } = props;
  const dialog = useModal(onClose);
  const [eventType, setEventType] = useState(props.eventType);
  useEffect(() => setEventType(props.eventType), [props.eventType]);
  return (
    <dialog
      id="item-panel"
      ref={dialog}
      aria-labelledby="item-name"
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <div class="panel-body">
        <button type="button" class="panel-close" aria-label="Close" onClick={onClose}>
          ✕
        </button>
        <Body {...props} eventType={eventType} onType={setEventType} />
      </div>
    </dialog>
  );
}
