// Soak: traffic as a real edge sees it, for half an hour. ../run watches the proxy's heap and goroutines meanwhile: the number of clients is
// fixed, since each connection has its own memory.
import { env, number, offered, seconds, settings, shape, thresholds, trafficOf } from './lib.js';

const sent = trafficOf('mix');
const phases = [{ name: 'soak', rate: number('RATE', 300), seconds: seconds(env('DURATION', '30m')) }];

export const options = { ...settings, scenarios: { soak: shape(phases, { maxVUs: number('VUS', 50) }) }, thresholds: thresholds(sent.kinds, offered(phases)) };

export default function () {
  sent.send();
}
