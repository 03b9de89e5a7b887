/* notify.h: tells systemd (Type=notify) what the server does, if it asked (NOTIFY_SOCKET). Never fails. */
#ifndef MILLRACE_SERVER_NOTIFY_H
#define MILLRACE_SERVER_NOTIFY_H

void notify_systemd(const char *state); /* "READY=1", "STOPPING=1", "RELOADING=1" */

#endif
