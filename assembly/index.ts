// The kernel's ABI: everything the host may call, and nothing else.
export * from "./layout";
export { buildRaw, stampEvents } from "./columns";
export { exportCandidates } from "./candidates";
export {
  addItems, addItemsPlain, checkSketch, estimateHash, estimateItems, hashRow, initSketch,
  mergeSum, sketchBytes, updateSketch,
} from "./count-min";
export { clearCounts, countEvents, countsUsed, emitCounts, initCounts } from "./exact-counts";
export {
  dropUntyped, forgetTypes, hashRows, initTypes, limitTypes, markExpired, noteTypes,
  resetTypeNotes, setRetention,
  resolveTypes, typeIndex,
} from "./type-dictionary";
export { scan } from "./ndjson";
export {
  closeWindow, initWindow, openWindow, restoreItems, updateCounts, updateItems,
  updateOpen,
} from "./open-windows";
export {
  extendSpan, murmur2, partitionEvents, resetSpan, sizeBlocks, writeBlocks,
} from "./partition";
export {
  beginSeal, finishSeal, foldItems, halveSketch, initSeal, mergeMax, sealItems,
} from "./sealed-sketch";
