// Soak: traffic as a real edge sees it, for half an hour. ../run watches the proxy's heap and goroutines meanwhile.
import { env, number, offered, seconds, settings, shape, thresholds, trafficOf } from './lib.js';

const sent = trafficOf('mix');
const phases = [{ name: 'soak', rate: number('RATE', 300), seconds: seconds(env('DURATION', '30m')) }];

export const options = { ...settings, scenarios: { soak: shape(phases) }, thresholds: thresholds(sent.kinds, offered(phases)) };

export default function () {
  sent.send();
}
