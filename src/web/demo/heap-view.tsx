/** The heap as it lies: its first levels as a tree, all of it as a list. */
import { boundsText, Card, ItemButton, numberText } from "./fields.tsx";
import type { Lab } from "./lab.ts";

interface Node {
  id: string;
  lower: number;
  upper: number;
}

/** Levels of 1, 2, 4 and 8: what a screen can show. */
const nodesShown = 15;

function levelsOf(nodes: readonly Node[]): Node[][] {
  const levels: Node[][] = [];
  for (let from = 0; from < nodes.length; from = 2 * from + 1) {
    levels.push(nodes.slice(from, Math.min(2 * from + 1, nodes.length)));
  }
  return levels;
}

export interface HeapViewProps {
  lab: Lab;
  /** The item shown in the rows. */
  shown: number | undefined;
  onChoose: (item: number) => void;
}

interface TreeProps {
  nodes: readonly Node[];
  shownName: string | undefined;
  onChoose: (name: string) => void;
}

function Tree({ nodes, shownName, onChoose }: TreeProps) {
  return (
    <div class="tree">
      {levelsOf(nodes.slice(0, nodesShown)).map((level, depth) => (
        <ol
          key={2 ** depth}
          class={`level level-${depth}`}
          aria-label={`Level ${depth + 1} of the heap`}
          style={{ gridTemplateColumns: `repeat(${2 ** depth}, minmax(0, 1fr))` }}
        >
          {level.map((node) => (
            <li key={node.id} data-lower={node.lower} data-upper={node.upper}>
              <span class={node.id === shownName ? "node shown" : "node"}>
                <ItemButton
                  name={node.id}
                  isChosen={node.id === shownName}
                  onChoose={() => onChoose(node.id)}
                />
                <span>{boundsText(node)}</span>
              </span>
            </li>
          ))}
        </ol>
      ))}
    </div>
  );
}

function timesText(outside: number): string {
  return outside === 0 ? "never: every item is in it" : `${numberText(outside)} times at most`;
}

export function HeapView({ lab, shown, onChoose }: HeapViewProps) {
  const { items, outside } = lab.heap();
  const shownName = shown === undefined ? undefined : lab.names[shown];
  const choose = (name: string) => onChoose(lab.numberOf(name)!);
  const sorted = [...items].sort((a, b) => b.upper - a.upper || b.lower - a.lower);
  return (
    <Card id="heap" title="The heap">
      <p>
        A sketch answers only for an item that it is asked about, so a heap keeps the candidates
        for the top, in the line of Space-Saving (Metwally, Agrawal &amp; El Abbadi 2005). Each has
        a <b>lower</b> bound, what it got since it came in, and an <b>upper</b> bound. The one with
        the least upper bound lies on top: it leaves when an item with a greater estimate comes.
      </p>
      <Tree nodes={items} shownName={shownName} onChoose={choose} />
      <p id="outside">
        {items.length === 0
          ? "It is empty."
          : `${items.length} of ${lab.shape.candidatesMax} places taken` +
            (items.length > nodesShown ? `, the first ${nodesShown} drawn. ` : ". ") +
            `Whatever lies outside has been counted ${timesText(outside)}.`}
      </p>
      <details>
        <summary>All of it, the greatest first</summary>
        <ol class="all" id="candidates">
          {sorted.map(({ id, lower, upper }) => (
            <li key={id} data-item={id} data-lower={lower} data-upper={upper}>
              {id} <span class="soft">{boundsText({ lower, upper })}</span>
            </li>
          ))}
        </ol>
      </details>
    </Card>
  );
}
