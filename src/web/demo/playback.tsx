/** Play, pause, step and speed; where the stream stands; the sketch's shape. */
import { numberText, Slider } from "./fields.tsx";
import { FileSource } from "./file-source.ts";
import { type LabShape, labBounds } from "./lab.ts";
import { type Player, speeds, stateText } from "./player.ts";

function speedText(speed: number): string {
  if (speed === Number.POSITIVE_INFINITY) return "as fast as it draws";
  return `${speed.toLocaleString("en")} a second`;
}

export function Playback({ player, onRestart }: { player: Player; onRestart: () => void }) {
  const { lab, state } = player;
  const isPlaying = state === "playing";
  const isOver = state !== "playing" && state !== "paused";
  const skipped = player.source instanceof FileSource ? player.source.skipped : 0;
  return (
    <div class="playback">
      <p class="buttons">
        <button
          type="button"
          class="first"
          disabled={isOver}
          onClick={() => (isPlaying ? player.pause() : player.play())}
        >
          {isPlaying ? "Pause" : "Play"}
        </button>
        <button type="button" disabled={isPlaying || isOver} onClick={() => player.step(1)}>
          One step
        </button>
        <button type="button" disabled={isPlaying || isOver} onClick={() => player.step(1000)}>
          +1,000
        </button>
        <button type="button" onClick={onRestart}>
          From the start
        </button>
      </p>
      <Slider
        label="Speed"
        value={speeds.indexOf(player.speed)}
        min={0}
        max={speeds.length - 1}
        text={speedText(player.speed)}
        onValue={(value) => {
          player.speed = speeds[value]!;
        }}
      />
      <dl class="figures">
        <div>
          <dt>Updates</dt>
          <dd id="updates">{numberText(lab.updates)}</dd>
        </div>
        <div>
          <dt>Different items</dt>
          <dd id="distinct">{numberText(lab.names.length)}</dd>
        </div>
      </dl>
      <p id="state" role="status" data-state={state}>
        {stateText(state, player.problem)}
        {skipped > 0 && ` ${numberText(skipped)} lines without an item were left out.`}
      </p>
    </div>
  );
}

export function ShapeForm({ player }: { player: Player }) {
  const { shape } = player.lab;
  const change = (part: Partial<LabShape>) => player.reshape({ ...shape, ...part });
  return (
    <>
      <Slider
        label="Depth (rows)"
        value={shape.depth}
        min={1}
        max={labBounds.depthMax}
        text={String(shape.depth)}
        onValue={(depth) => change({ depth })}
      />
      <Slider
        label="Width (cells a row)"
        value={shape.widthLog2}
        min={labBounds.widthLog2Min}
        max={labBounds.widthLog2Max}
        text={(2 ** shape.widthLog2).toLocaleString("en")}
        onValue={(widthLog2) => change({ widthLog2 })}
      />
      <Slider
        label="Heap size"
        value={shape.candidatesMax}
        min={1}
        max={labBounds.candidatesMax}
        text={String(shape.candidatesMax)}
        onValue={(candidatesMax) => change({ candidatesMax })}
      />
      <p class="soft">
        A change shows the same stream, from its start, to a sketch of the new shape.
      </p>
    </>
  );
}
