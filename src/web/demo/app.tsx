/** The whole demo: one player, and what is seen of it. */
import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import { type Analysis, analyse } from "./analysis.ts";
import { type Experiment, Experiments } from "./experiments.tsx";
import { Card } from "./fields.tsx";
import { HeapView } from "./heap-view.tsx";
import { Playback, ShapeForm } from "./playback.tsx";
import type { Player } from "./player.ts";
import { RowsView } from "./rows-view.tsx";
import { SpeedView } from "./speed-view.tsx";
import {
  type FileReading,
  firstReading,
  firstShape,
  readFile,
  StreamForm,
  type StreamKind,
} from "./stream-form.tsx";
import { type ItemSource, type MadeShape, madeStream } from "./streams.ts";
import { TruthView } from "./truth-view.tsx";

/** While it plays the truth is told no more often: with many items that takes many frames. */
const analysisMsMin = 250;
/** So many times as long as it took, the time goes to the stream. */
const restShare = 5;

interface Analysed {
  analysis: Analysis;
  k: number;
  version: number;
  atMs: number;
  tookMs: number;
}

/** The analysis of what the lab holds: at once while it stands still, now and then else. */
function useAnalysis(player: Player, k: number, version: number): Analysis {
  const last = useRef<Analysed>(undefined);
  const before = last.current;
  const now = performance.now();
  const isStale = before === undefined || before.k !== k || before.version !== version;
  const isRested =
    before === undefined ||
    player.state !== "playing" ||
    now - before.atMs >= Math.max(analysisMsMin, restShare * before.tookMs) ||
    player.speed <= 20;
  if (isStale && (isRested || before.k !== k)) {
    const analysis = analyse(player.lab, k);
    const atMs = performance.now();
    last.current = { analysis, k, version, atMs, tookMs: atMs - now };
  }
  return last.current!.analysis;
}

/** Files dropped anywhere on the page. */
function useDrop(onFile: (file: File) => void): boolean {
  const [isOver, setIsOver] = useState(false);
  const current = useRef(onFile);
  current.current = onFile;
  useEffect(() => {
    const stop = new AbortController();
    const listen = (type: "dragover" | "dragleave" | "drop", isDragged: boolean) => {
      const handle = (event: DragEvent) => {
        event.preventDefault();
        setIsOver(isDragged);
        const file = type === "drop" ? event.dataTransfer?.files[0] : undefined;
        if (file !== undefined) current.current(file);
      };
      addEventListener(type, handle, { signal: stop.signal });
    };
    listen("dragover", true);
    listen("dragleave", false);
    listen("drop", false);
    return () => stop.abort();
  }, []);
  return isOver;
}

/** Which stream is played, and how it is begun again. */
function useStream(player: Player, first: () => ItemSource) {
  const [kind, setKind] = useState<StreamKind>("zipf");
  const [file, setFile] = useState<File>();
  const [reading, setReading] = useState<FileReading>({ form: "words", field: "" });
  const [made, setMade] = useState<MadeShape>(firstShape);
  const again = useRef<() => ItemSource>(first);
  const begin = (make: () => ItemSource) => {
    again.current = make;
    player.begin(make());
  };
  const read = (next: File, { form, field }: FileReading) => {
    setFile(next);
    setReading({ form, field });
    begin(() => readFile(next, form, field, player.source));
  };
  return {
    kind,
    setKind,
    made,
    make: (next: MadeShape) => {
      setKind(next.kind);
      setMade(next);
      begin(() => madeStream(next));
    },
    file,
    reading,
    begin,
    restart: () => player.begin(again.current()),
    openFile: (next: File) => {
      setKind("file");
      read(next, firstReading(next));
    },
    readAs: (next: FileReading) => {
      setReading(next);
      if (file !== undefined) read(file, next);
    },
  };
}

interface PartProps {
  player: Player;
  stream: ReturnType<typeof useStream>;
  /** Follows the stream again: what is chosen belongs to the one before. */
  unchoose: () => void;
}

function Side({ player, stream, unchoose }: PartProps) {
  const unchosen =
    <Args extends unknown[]>(act: (...args: Args) => void) =>
    (...args: Args) => {
      unchoose();
      act(...args);
    };
  return (
    <div class="side">
      <Card id="stream" title="The stream">
        <StreamForm
          kind={stream.kind}
          onKind={stream.setKind}
          made={stream.made}
          onMade={unchosen(stream.make)}
          file={stream.file}
          onFile={unchosen(stream.openFile)}
          reading={stream.reading}
          onReading={unchosen(stream.readAs)}
          onStream={unchosen(stream.begin)}
        />
        <Playback player={player} onRestart={unchosen(stream.restart)} />
      </Card>
      <Card id="shape" title="The sketch">
        <ShapeForm player={player} />
      </Card>
    </div>
  );
}

interface ViewsProps {
  player: Player;
  chosen: number | undefined;
  version: number;
  onChoose: (item: number | undefined) => void;
}

function Views({ player, chosen, version, onChoose }: ViewsProps) {
  const [k, setK] = useState(10);
  const analysis = useAnalysis(player, k, version);
  const { lab, state } = player;
  const shown = chosen ?? lab.trace?.item;
  return (
    <>
      <RowsView
        lab={lab}
        chosen={chosen}
        isPlaying={state === "playing"}
        version={version}
        onStep={state === "paused" ? () => player.step(1) : undefined}
        onChoose={onChoose}
      />
      <HeapView lab={lab} shown={shown} onChoose={onChoose} />
      <TruthView
        lab={lab}
        analysis={analysis}
        k={k}
        shown={shown}
        onK={setK}
        onChoose={onChoose}
      />
    </>
  );
}

const places = [
  ["experiments", "Try this"],
  ["rows", "The rows"],
  ["heap", "The heap"],
  ["truth", "Estimate against truth"],
  ["speed", "How fast?"],
] as const;

/** The page; `first` makes the stream that it begins with. */
export function App({ player, first }: { player: Player; first: () => ItemSource }) {
  const [version, change] = useReducer((before: number, _: undefined) => before + 1, 0);
  useEffect(() => {
    player.onChange = () => change(undefined);
  }, [player]);
  const [chosen, setChosen] = useState<number>();
  const unchoose = () => setChosen(undefined);
  const stream = useStream(player, first);
  const isDragged = useDrop((file) => {
    unchoose();
    stream.openFile(file);
  });
  const run = ({ stream: made, shape, updates }: Experiment) => {
    unchoose();
    stream.make(made);
    player.reshape(shape);
    player.step(updates);
  };
  return (
    <>
      <header>
        <h1>Count-Min sketch, at work</h1>
        <p>
          How Rankstream finds the most popular items of a stream without a counter for each: in
          fixed memory, with an error that only goes one way. This page runs the service's own
          WebAssembly kernel; no server takes part.
        </p>
        <nav aria-label="On this page">
          {places.map(([id, name]) => (
            <a key={id} href={`#${id}`}>
              {name}
            </a>
          ))}
        </nav>
      </header>
      <div class="columns">
        <Side player={player} stream={stream} unchoose={unchoose} />
        <div class="wide">
          <Experiments onRun={run} />
          <Views player={player} chosen={chosen} version={version} onChoose={setChosen} />
          <SpeedView />
        </div>
      </div>
      {isDragged && <div class="drop">Drop the file to count what is in it</div>}
    </>
  );
}
