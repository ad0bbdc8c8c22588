# Python's poplib: each message as a list of lines. `python3 pop3.py MAILDROP [check]`
import hashlib
import json
import poplib
import re
import resource
import sys
import time


def memory(field):
    try:
        with open('/proc/self/status', encoding='latin1') as status:
            return int(re.search(field + r':\s*(\d+)', status.read())[1]) * 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1000


maildrop = json.loads(sys.argv[1])
digest = hashlib.sha256() if sys.argv[-1] == 'check' else None
client = poplib.POP3('127.0.0.1', maildrop['port'])
client.user('u1')
client.pass_('pw-1')
idle = memory('VmRSS')
octets = 0
start, spent = time.perf_counter(), cpu()
for number in range(1, maildrop['messages'] + 1):
    content = b'\r\n'.join(client.retr(number)[1]) + b'\r\n'
    octets += len(content)
    if digest is not None:
        digest.update(content)
result = {
    'ms': (time.perf_counter() - start) * 1000,
    'cpuMs': cpu() - spent,
    'peakBytes': memory('VmHWM'),
    'idleBytes': idle,
    'octets': octets,
    'messages': maildrop['messages'],
}
if digest is not None:
    result['sha256'] = digest.hexdigest()
client.quit()
print(json.dumps(result))
