// What the worker processes of both Node.js peers do with a job: render a mail and hand it to an instant provider.

const TEMPLATES = {
  BOOKING_CONFIRMATION: (data) => ({
    subject: `Booking Confirmed: ${data.title}`,
    body: `Hi there! Your booking "${data.title}" is confirmed from ${data.start_time} to ${data.end_time}.`,
  }),
};

async function sendEmail(to, subject, body) {
  return { success: true, provider: "mock", to, length: subject.length + body.length };
}

export async function deliver(job) {
  const { email, type, data } = job.data;
  const { subject, body } = TEMPLATES[type](data);
  return sendEmail(email, subject, body);
}
