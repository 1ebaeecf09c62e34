/** A byte offset of the stream, and the time of the audio that starts there. */
export interface Point {
  offset: number;
  /** Seconds of the audio. */
  seconds: number;
}

type Axis = keyof Point;

/** Returns how many points have at most that `value`, which must increase from point to point. */
export function countUpTo(points: readonly Point[], axis: Axis, value: number): number {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle]![axis] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether `value` lies between the first and the last point. */
export function covers(points: readonly Point[], axis: Axis, value: number): boolean {
  return points.length > 0 && points[0]![axis] <= value && value <= points.at(-1)![axis];
}

/** Returns the time of `offset` on the line through the points, or that of the nearest point beyond their ends. */
export function secondsIn(points: readonly Point[], offset: number): number {
  return between(points, "offset", "seconds", offset);
}

/** Returns the offset of `seconds` on the line through the points, or that of the nearest point beyond their ends. */
export function offsetIn(points: readonly Point[], seconds: number): number {
  return between(points, "seconds", "offset", seconds);
}

/** Appends `point` if it lies after the last one on both axes, so that a line through the points always rises. */
export function pushRising(points: Point[], point: Point): void {
  const last = points.at(-1);
  if (last === undefined || (point.offset > last.offset && point.seconds > last.seconds)) points.push(point);
}

function between(points: readonly Point[], from: Axis, to: Axis, value: number): number {
  const after = countUpTo(points, from, value);
  if (after === 0) return points[0]![to];
  const a = points[after - 1]!;
  const b = points[after];
  if (b === undefined) return a[to];
  return a[to] + ((b[to] - a[to]) * (value - a[from])) / (b[from] - a[from]);
}
