import path from 'node:path';
import { commonChecks, describeProgram } from './external-suite.ts';
import { installPython } from './python-environment.ts';

const folder = path.join(import.meta.dirname, 'python');

describeProgram({
  name: 'confluent-kafka (Python, librdkafka)',
  checks: {
    ...commonChecks,
    cooperative: 'rebalances cooperatively when a member is killed',
  },
  install: () => [installPython(folder), path.join(folder, 'confluent.py')],
});

describeProgram({
  name: 'aiokafka (Python)',
  checks: commonChecks,
  install: () => [installPython(folder), path.join(folder, 'aio.py')],
});
